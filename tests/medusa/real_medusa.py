"""A real Medusa v1 from npm, with its own PostgreSQL and its own Redis."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from tests.services.npm import install
from tests.services.postgres import postgres_cluster
from tests.services.process import free_port, run, running, stop, wait_until
from tests.services.redis import redis_server

HERE = Path(__file__).resolve().parent
MEDUSA = "node_modules/.bin/medusa"
SITE = ("package.json", "medusa-config.js", "loopback.js", "node_modules")


@dataclass(frozen=True)
class RealMedusa:
    """A running Medusa with one user. `stop()` ends it before its time; its database and its Redis live on."""

    base_url: str
    email: str
    password: str
    database_url: str
    redis_url: str
    jwt_secret: str
    cookie_secret: str
    stop: Callable[[], None] = field(repr=False)

    @property
    def login(self) -> dict[str, str]:
        """The body of a login as its user."""
        return {"email": self.email, "password": self.password}


@contextmanager
def real_medusa(
    *,
    email: str = "admin@medusa-test.com",
    password: str = "supersecret",
    jwt_secret: str = "test-jwt-secret",
    cookie_secret: str = "test-cookie-secret",
    admin_cors: str = "http://localhost:7001",
    node_env: str = "development",
    redis_prefix: str = "",
    redis_database: int = 0,
) -> Iterator[RealMedusa]:
    """Runs Medusa on a free port of 127.0.0.1, with an empty database and a user of this email and password.

    Installs what it needs: Debian's PostgreSQL and Redis, and tests/medusa/package.json. Raises StartupError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="medusa-auth-medusa-") as name,
        postgres_cluster() as postgres,
        redis_server() as redis,
    ):
        folder = Path(name)
        log = folder / "log"
        install(HERE, log)
        _lay_out(folder)
        settings = {
            "DATABASE_URL": postgres.create_database("medusa"),
            "REDIS_URL": f"{redis.url}/{redis_database}",
            "REDIS_PREFIX": redis_prefix,
            "JWT_SECRET": jwt_secret,
            "COOKIE_SECRET": cookie_secret,
            "ADMIN_CORS": admin_cors,
            "NODE_ENV": node_env,
        }
        env = _environment(settings, folder)
        run([MEDUSA, "migrations", "run"], log=log, cwd=folder, env=env)
        run([MEDUSA, "user", "-e", email, "-p", password], log=log, cwd=folder, env=env)
        port = free_port()
        base_url = f"http://127.0.0.1:{port}"
        with running([MEDUSA, "start", "--port", str(port)], log=log, cwd=folder, env=env) as process:
            wait_until(lambda: _is_healthy(base_url), process, log, "Medusa")
            yield RealMedusa(
                base_url=base_url,
                email=email,
                password=password,
                database_url=settings["DATABASE_URL"],
                redis_url=settings["REDIS_URL"],
                jwt_secret=jwt_secret,
                cookie_secret=cookie_secret,
                stop=lambda: stop(process),
            )


def _lay_out(folder: Path) -> None:
    """Makes `folder` a site of Medusa's. It writes to the folder it runs in, which should not be this one."""
    for name in SITE:
        (folder / name).symlink_to(HERE / name)
    # MEDUSA_DISABLE_TELEMETRY keeps reports from being written; this keeps the sender from being started.
    settings = folder / "medusa" / "config.json"
    settings.parent.mkdir()
    settings.write_text('{"telemetry": {"enabled": false}}', "utf-8")


def _environment(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """This process's environment and `settings`, with nothing sent home and nothing written outside `folder`."""
    return {
        **os.environ,
        **settings,
        "MEDUSA_DISABLE_TELEMETRY": "true",
        "XDG_CONFIG_HOME": str(folder),
        "NODE_OPTIONS": "--require=./loopback.js",
    }


def _is_healthy(base_url: str) -> bool:
    try:
        return httpx2.get(f"{base_url}/health", timeout=5, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False
