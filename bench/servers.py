"""The servers that are measured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
from tests.services.process import StartupError, free_port

from bench.cores import SERVER_CORE, cpu_seconds, on_core
from bench.load import Header
from bench.seed import session_id, user_id
from bench.setups import Store
from medusa_auth.core.jwts import Jwts
from medusa_auth.core.passwords import Argon2id
from medusa_auth.model import Role
from medusa_auth.server.app import Parts
from medusa_auth.server.cookies import SessionCookie
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

__all__ = ["EMAIL", "LOGIN", "SECRETS", "Server", "api_tokens", "bare", "login", "many", "serving"]

EMAIL, PASSWORD = "bench@example.com", "a password of the bench"
LOGIN = {"email": EMAIL, "password": PASSWORD}
SECRETS = {"JWT_SECRET": "the bench's secret for access tokens", "COOKIE_SECRET": "the bench's secret for its cookies"}
PATIENCE = 60.0


@dataclass(frozen=True)
class Server:
    """`start` is how long its first answer took, in seconds."""

    url: str
    pid: int
    start: float

    def cpu_seconds(self) -> float:
        """What a server of one worker has had of a core so far."""
        return cpu_seconds(self.pid)

    def resident_megabytes(self) -> float:
        return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[0]) / 1024


@contextlib.contextmanager
def serving(
    store: Store, *, workers: int = 1, core: int | None = SERVER_CORE, environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`medusa-auth serve` on `store`, which gets a user of `LOGIN` if it has none."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {**store.environ, **SECRETS, **(environ or {})}
        _add_user(settings, Path(folder))
        command = ["medusa_auth", "serve", "--workers", str(workers), "--data-dir", folder]
        with _started(command, settings, "/ready", core) as server:
            yield server


@contextlib.contextmanager
def bare(name: str) -> Iterator[Server]:
    """An application of bench/apps.py."""
    command = ["uvicorn", f"bench.apps:{name}_app", "--no-access-log", "--log-level", "warning"]
    with _started(command, {}, "/", SERVER_CORE) as server:
        yield server


@contextlib.contextmanager
def _started(command: list[str], environ: Mapping[str, str], path: str, core: int | None) -> Iterator[Server]:
    port = free_port()
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        # What is logged is written, as it is where somebody runs it.
        with on_core(core), log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *command, "--port", str(port)],
                env={**os.environ, **environ},
                stdout=output,
                stderr=output,
            )
        with process:
            try:
                while not _answers(url + path):
                    if time.perf_counter() > began + PATIENCE or process.poll() is not None:
                        raise StartupError(f"{command[0]} did not start", log)
                    time.sleep(0.005)
                yield Server(url, process.pid, time.perf_counter() - began)
            finally:
                process.terminate()
                process.wait(40)


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(url, trust_env=False).status_code in {200, 404}
    return False


def login(url: str, body: Mapping[str, str] = LOGIN, headers: Sequence[Header] = ()) -> dict[str, Header]:
    """The headers of a session and of an access token."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=30, headers=[*headers]) as client:
        answer = client.post("/admin/auth", json=body)
        answer.raise_for_status()
        token = client.post("/admin/auth/token", json=body).json()["access_token"]
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return {"cookie": ("Cookie", cookie), "access token": ("Authorization", f"Bearer {token}")}


def many(kind: str, count: int, of: int | None = None) -> Sequence[Header]:
    """The headers of `count` of the `of` sessions that `seed.fill` made, or of access tokens of its users.

    They are spread evenly, so that they are not neighbours in the store. Default: all of them.
    """
    numbers = [place * (of or count) // count for place in range(count)]
    if kind == "cookie":
        cookie = SessionCookie([SECRETS["COOKIE_SECRET"]], "lax")
        return [("Cookie", cookie.pair(session_id(number))) for number in numbers]
    jwts, now = Jwts([SECRETS["JWT_SECRET"].encode()]), int(time.time())
    times = {"domain": "admin", "iat": now, "exp": now + 3600}
    return [
        ("Authorization", f"Bearer {jwts.sign({'user_id': user_id(number), **times, 'jti': str(number)})}")
        for number in numbers
    ]


def api_tokens(store: Store, count: int) -> Sequence[Header]:
    """The headers of new API tokens of the first `count` users that `seed.fill` made, each used just now."""
    with tempfile.TemporaryDirectory() as folder, _parts({**store.environ, **SECRETS}, Path(folder)) as parts:

        def issue(numbers: Sequence[int], tx: Transaction) -> list[Header]:
            users = [user for number in numbers if (user := tx.users.get(user_id(number)))]
            issued = [parts.api_tokens.issue(tx, user, "bench", parts.clock()) for user in users]
            for _, record in issued:
                tx.api_tokens.touch(record.id, parts.clock())
            return [("x-medusa-access-token", token) for token, _ in issued]

        async def issue_all() -> list[Header]:
            # A transaction has a second.
            batches = (range(first, min(first + 50, count)) for first in range(0, count, 50))
            return [header for batch in batches for header in await parts.records.write(partial(issue, batch))]

        return asyncio.run(issue_all())


@contextlib.contextmanager
def _parts(environ: Mapping[str, str], folder: Path) -> Iterator[Parts]:
    parts = Parts.of(from_env(environ, data_dir=folder))
    try:
        yield parts
    finally:
        parts.close()


def _add_user(environ: Mapping[str, str], folder: Path) -> None:
    with _parts(environ, folder) as parts:
        password_hash = Argon2id().hash(PASSWORD)

        async def add() -> None:
            if await parts.records.read(lambda tx: tx.users.get_with_password(EMAIL)) is None:
                await parts.records.write(
                    lambda tx: parts.users.create(
                        tx, email=EMAIL, password_hash=password_hash, now=parts.clock(), role=Role.ADMIN
                    )
                )

        asyncio.run(add())
