"""Servers of ours in processes of their own, as they are on machines, and requests to them."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy.engine import make_url
from tests.server.helpers import EMAIL, PASSWORD, admin, run
from tests.services.process import running, wait_until

from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.model import Context, Role, User
from medusa_auth.server.app import Parts
from medusa_auth.server.cookies import SessionCookie
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

T = TypeVar("T")

# All machines of a store have the same.
SECRETS = {
    "JWT_SECRET": "one secret for the tokens of all machines",
    "COOKIE_SECRET": "and another one for all of their cookies",
}
COMMAND = [sys.executable, "-m", "medusa_auth"]
PATIENCE = 10.0

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    content: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def call(self, method: str, path: str, headers: Headers | None = None, body: Any = None) -> Answer:
        """One request over a connection of its own."""
        with closing(self.connect()) as connection:
            return ask(connection, method, path, headers, body)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)

    def get(self, headers: Headers | None = None) -> int:
        return self.call("GET", "/admin/auth", headers).status

    def workers(self) -> set[int]:
        """The processes that the supervisor has."""
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What the log says of it; of all events that begin so."""
        told = (line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}"))
        return [line for line in map(json.loads, told) if line["event"].startswith(event)]

    def is_ready(self) -> bool:
        try:
            return self.call("GET", "/ready").status == 200
        except OSError:
            return False


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Headers | None = None, body: Any = None
) -> Answer:
    sent = None if body is None else json.dumps(body)
    started = time.monotonic()
    connection.request(method, path, sent, {"Content-Type": "application/json"} | dict(headers or {}))
    answer = connection.getresponse()
    content = answer.read()
    taken = time.monotonic() - started
    return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content, taken)


@contextmanager
def serving(folder: Path, database: str, *arguments: str, redis: str = "") -> Iterator[Server]:
    """`medusa-auth serve` on a data folder of its own, a shared database, and perhaps a Redis."""
    with serving_with(folder, SECRETS | {"DATABASE_URL": database, "REDIS_URL": redis}, *arguments) as server:
        yield server


@contextmanager
def serving_with(folder: Path, settings: Mapping[str, str], *arguments: str) -> Iterator[Server]:
    """`medusa-auth serve` on the data folder `folder / "data"`; what is not in `settings` is there."""
    folder.mkdir(exist_ok=True)
    log = folder / "log"
    environ = os.environ | {"MEDUSA_AUTH_DATA_DIR": str(folder / "data"), **settings}
    told_before = log.stat().st_size if log.exists() else 0
    with running([*COMMAND, "serve", "--port", "0", *arguments], log=log, env=environ) as process:
        wait_until(lambda: "serves on" in log.read_text()[told_before:], process, log, "the server")
        (url,) = re.findall(r"serves on (\S+),", log.read_text()[told_before:])
        server = Server(url, process, log)
        wait_until(server.is_ready, process, log, "the server")
        yield server


@dataclass(frozen=True)
class Store:
    """The database, as another machine has it: over connections of its own that no fault touches."""

    parts: Parts
    admin: User

    @property
    def url(self) -> str:
        return self.parts.settings.database_url

    def write(self, work: Callable[[Transaction], T]) -> T:
        return run(lambda: self.parts.records.write(work))

    def user(self, email: str, role: Role = Role.ADMIN) -> User:
        """A user with PASSWORD."""

        def make(tx: Transaction) -> User:
            password_hash = tx.users.get_password_hash(self.admin.id)
            return self.parts.users.create(
                tx, email=email, password_hash=password_hash, now=self.parts.clock(), role=role
            )

        return self.write(make)

    def cookie(self, user: User | None = None) -> dict[str, str]:
        """A session that no server has seen yet."""
        settings, now = self.parts.settings, self.parts.clock()
        sessions = Sessions(SessionRules(settings.session_life, settings.session_idle))
        session_id, session = self.write(
            lambda tx: sessions.start(tx, user or self.admin, Context("127.0.0.1", "test"), now)
        )
        written = SessionCookie(settings.cookie_keys, "lax").write(session_id, session.expires_at, secure=False)
        return {"Cookie": written.partition(";")[0]}

    def session_id(self, cookie: Headers) -> str:
        value = cookie["Cookie"].partition("=")[2]
        return SessionCookie(self.parts.settings.cookie_keys, "lax").read(value) or ""

    def bearer(self, user: User | None = None) -> dict[str, str]:
        token = self.write(lambda tx: self.parts.access_tokens.issue(tx, user or self.admin, self.parts.clock()))
        return {"Authorization": f"Bearer {token}"}

    def api_key(self, user: User | None = None) -> tuple[dict[str, str], str]:
        """The header, and the token's id."""
        token, record = self.write(
            lambda tx: self.parts.api_tokens.issue(tx, user or self.admin, "test", self.parts.clock())
        )
        return {"x-medusa-access-token": token}, record.id

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """SQL of nobody's, which announces nothing."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def store_of(folder: Path, database: str, password_hash: str, redis: str = "") -> Iterator[Store]:
    """The store of `database`, with the administrator of these tests."""
    parts = Parts.of(from_env(SECRETS | {"DATABASE_URL": database, "REDIS_URL": redis}, data_dir=folder))
    try:
        yield Store(parts, admin(parts, password_hash))
    finally:
        parts.close()


def login(email: str = EMAIL, password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password": password}


def through(database: str, port: int) -> str:
    """The address of the same database, behind another port."""
    return make_url(database).set(port=port).render_as_string(hide_password=False)


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """The results of all `works`, each in a thread of its own, begun when all of them stand ready."""
    ready = threading.Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        ready.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(begin, works))


def until(is_so: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Asks until `is_so`; the seconds that it took."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() < started + patience, what
        time.sleep(0.01)
    return time.monotonic() - started


def told(what: str, seconds: Sequence[float]) -> str:
    """A measure for people: pytest shows it with -rP."""
    ordered = sorted(seconds)
    return f"{what}: median {ordered[len(ordered) // 2]:.3f} s, most {ordered[-1]:.3f} s, of {len(ordered)}"
