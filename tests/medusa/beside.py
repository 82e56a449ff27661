"""Two servers of ours beside a real Medusa, on the same PostgreSQL, Redis and secrets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import redis
from tests.faults.servers import COMMAND, Answer, ask
from tests.medusa.real_medusa import RealMedusa
from tests.server.mailbox import Mailbox
from tests.services.process import running, wait_until

# What is promised, in seconds: on either side what has ended is refused by then.
WITHIN = 1.0
PASSWORD = "seven purple lamps on a river"

Login = Mapping[str, str]


@dataclass(frozen=True)
class Side:
    """Ours or Medusa. `process` is ours."""

    name: str
    url: str
    https: bool = False
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    def __str__(self) -> str:
        return self.name

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request over a connection of its own."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.https:
            sent["X-Forwarded-Proto"] = "https"
        with closing(HTTPConnection(self.url.removeprefix("http://"), timeout=30)) as connection:
            return ask(connection, method, path, sent, body)

    def status(self, path: str = "/admin/auth", **headers: str) -> int:
        return self.call("GET", path, **headers).status

    def log_in(self, login: Login, cookie: str = "") -> str:
        """The session's cookie."""
        answer = self.call("POST", "/admin/auth", login, **({"Cookie": cookie} if cookie else {}))
        assert answer.status == 200, answer.content
        return cookie_of(answer) or cookie

    def log_out(self, cookie: str) -> Answer:
        answer = self.call("DELETE", "/admin/auth", Cookie=cookie)
        assert answer.status == 200, answer.content
        return answer

    def access_token(self, login: Login) -> str:
        return str(self.call("POST", "/admin/auth/token", login).json()["access_token"])


@dataclass(frozen=True)
class Beside:
    """`ours` and `another` are two servers of ours."""

    real: RealMedusa
    medusa: Side
    ours: Side
    another: Side
    redis: redis.Redis
    prefix: str
    environ: Mapping[str, str]
    mailbox: Mailbox
    # Of the administrator, made once: a login takes its time, and this is none of what is tested.
    admin_token: str

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        return self.medusa, self.ours, self.another

    def pair(self, first: str) -> tuple[Side, Side]:
        """The one that does something, and the other."""
        return (self.ours, self.medusa) if first == "ours" else (self.medusa, self.ours)

    def statuses(self, path: str = "/admin/auth", **headers: str) -> list[int]:
        return [side.status(path, **headers) for side in self.sides]

    def admin(self, method: str, path: str, body: Any = None, *, at: Side | None = None) -> Answer:
        """Asked as the administrator, of Medusa or of `at`."""
        answer = (at or self.medusa).call(method, path, body, Authorization=f"Bearer {self.admin_token}")
        assert answer.status == 200, answer.content
        return answer

    def user(self, email: str, *, at: Side | None = None) -> dict[str, Any]:
        """A new user with PASSWORD."""
        body = {"email": email, "password": PASSWORD}
        return dict(self.admin("POST", "/admin/users", body, at=at).json()["user"])

    def session(self, cookie: str) -> dict[str, Any] | None:
        """What is in Redis, in its order."""
        text = self.redis.get(self.key(cookie))
        return None if text is None else json.loads(text)

    def key(self, cookie: str) -> str:
        return f"{self.prefix}sess:{session_id(cookie)}"

    def execute(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.real.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def command(self, *arguments: str, stdin: str = "") -> str:
        """What `medusa-auth` prints."""
        done = subprocess.run(
            [*COMMAND, *arguments], env=self.environ, input=stdin, capture_output=True, text=True, check=True
        )
        return done.stdout


def login(email: str, password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password": password}


def cookie_of(answer: Answer) -> str:
    """The cookie that it sets, to be sent back; empty if there is none, or one that is cleared."""
    cookie = answer.headers.get("set-cookie", "").partition(";")[0]
    return cookie if cookie.partition("=")[2] else ""


def session_id(cookie: str) -> str:
    return cookie.partition("=")[2].removeprefix("s%3A").partition(".")[0]


def until(ready: Callable[[], bool], seconds: float = WITHIN) -> float:
    """How long it took. Fails if it takes longer than `seconds`."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() < began + seconds, f"it is not so after {seconds} s"
        time.sleep(0.005)
    return time.monotonic() - began


def shared_environ(real: RealMedusa, data_dir: Path, **more: str) -> dict[str, str]:
    """The environment of `medusa-auth` that shares all with `real`."""
    return {
        **os.environ,
        "MEDUSA_AUTH_SHARED": "1",
        "MEDUSA_AUTH_DATA_DIR": str(data_dir),
        "DATABASE_URL": real.database_url,
        "REDIS_URL": real.redis_url,
        "JWT_SECRET": real.jwt_secret,
        "COOKIE_SECRET": real.cookie_secret,
        "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1",
        "MEDUSA_AUTH_PASSWORD_RULES": "off",
        "MEDUSA_AUTH_ROLES": "off",
        **more,
    }


@contextmanager
def serving_beside(name: str, log: Path, environ: Mapping[str, str], *arguments: str) -> Iterator[Side]:
    """`medusa-auth serve`."""
    with running([*COMMAND, "serve", "--port", "0", *arguments], log=log, env=environ) as process:
        wait_until(lambda: "serves on" in log.read_text(), process, log, "the server")
        (url,) = re.findall(r"serves on (\S+),", log.read_text())
        https = "MEDUSA_AUTH_TRUSTED_PROXIES" in environ
        side = Side(name, url, https, process, log)
        wait_until(lambda: _is_ready(side), process, log, "the server")
        yield side


@contextmanager
def beside(real: RealMedusa, folder: Path, *, https: bool = False, **more: str) -> Iterator[Beside]:
    """Both servers have one data folder, as one machine's have."""
    environ = shared_environ(real, folder / "data", **more)
    with ExitStack() as stack:
        ours, another = (
            stack.enter_context(serving_beside(name, folder / f"{name}.log", environ)) for name in ("ours", "another")
        )
        client = stack.enter_context(redis.from_url(real.redis_url))
        medusa = Side("medusa", real.base_url, https)
        prefix = more.get("MEDUSA_AUTH_REDIS_PREFIX", "")
        mailbox = Mailbox(folder / "data" / "mail")
        token = ours.access_token(real.login)
        yield Beside(real, medusa, ours, another, client, prefix, environ, mailbox, token)


def _is_ready(side: Side) -> bool:
    try:
        return side.status("/ready") == 200
    except OSError:
        return False
