"""What the tests of the server share."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import anyio
import httpx2
import psycopg
import pytest
import uvicorn
from starlette.types import ASGIApp

from medusa_auth.model import ApiToken, Role, User
from medusa_auth.server.app import Parts
from medusa_auth.server.http import BoundedHttpProtocol
from medusa_auth.store.base import Transaction
from medusa_auth.store.sql.engines import is_postgresql
from medusa_auth.store.sql.records import SqlTransaction

T = TypeVar("T")

# For tests that look into the file, or hold its lock.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
# For tests that take long: what refuses the most.
on_most = pytest.mark.parametrize("database", ["postgresql and redis"], indirect=True)

EMAIL = "admin@example.com"
PASSWORD = "correct horse battery staple"
LOGIN = {"email": EMAIL, "password": PASSWORD}


@dataclass
class Clock:
    """Stands still until it is moved. It begins now: clients and browsers drop a cookie whose end has passed."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass
class Running:
    """A server that runs; `parts` look behind it, over connections of their own."""

    url: str
    parts: Parts
    clock: Clock
    user: User
    clients: contextlib.ExitStack

    def client(self, **options: Any) -> httpx2.Client:
        return self.clients.enter_context(httpx2.Client(base_url=self.url, **options))

    def sign_in(self, **options: Any) -> httpx2.Client:
        """A client with a session."""
        client = self.client(**options)
        assert client.post("/admin/auth", json=LOGIN).status_code == 200
        return client

    def access_token(self) -> str:
        answer = httpx2.post(f"{self.url}/admin/auth/token", json=LOGIN)
        return str(answer.json()["access_token"])

    def api_token(self) -> tuple[str, ApiToken]:
        return self.write(lambda tx: self.parts.api_tokens.issue(tx, self.user, "test", self.clock()))

    def write(self, work: Callable[[Transaction], T]) -> T:
        announced: set[str] = set()

        def noted(tx: Transaction) -> T:
            result = work(tx)
            announced.update(cast(SqlTransaction, tx).announced)
            return result

        result = run(lambda: self.parts.records.write(noted))
        if announced and self.parts.settings.database_url.startswith("postgres"):
            # The server hears of it within milliseconds; it is another process's commit to it.
            time.sleep(0.2)
        return result

    def get(self, **headers: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}/admin/auth", headers=headers)

    def bearer(self, token: str) -> httpx2.Response:
        return self.get(Authorization=f"Bearer {token}")

    def raw(self, data: bytes) -> bytes:
        """What comes back for exactly these bytes, which ask the server to close."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(data)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received


def run(work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work` in an event loop of its own."""

    async def awaited() -> T:
        return await work()

    return anyio.run(awaited)


def rows(server: Running, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a connection of its own reads; `?` stands for a value, and `"user"` has to be quoted."""
    url = server.parts.settings.database_url
    if is_postgresql(url):
        with psycopg.connect(url) as postgresql:
            return postgresql.execute(query.replace("?", "%s").encode(), values).fetchall()
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as sqlite:
        return sqlite.execute(query, values).fetchall()


@contextlib.contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """`app` on the loopback, in a thread, with uvicorn set as `medusa-auth serve` sets it. 0: a free port."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
        assert not thread.is_alive()


def admin(parts: Parts, password_hash: str) -> User:
    """The administrator of these tests, made if there is none."""

    def make(tx: Transaction) -> User:
        found = tx.users.get_with_password(EMAIL)
        if found:
            return found[0]
        return parts.users.create(tx, email=EMAIL, password_hash=password_hash, now=parts.clock(), role=Role.ADMIN)

    return run(lambda: parts.records.write(make))
