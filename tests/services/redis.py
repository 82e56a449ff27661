"""A Redis of its own for a test."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.debian import program
from tests.services.process import free_port, running, wait_until

NOTHING_ON_DISK = ("--save", "", "--appendonly", "no")


@dataclass(frozen=True)
class RedisServer:
    """A running Redis, on 127.0.0.1 only."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Runs a new, empty Redis on a free port that keeps nothing on disk.

    Installs Debian's `redis-server` when there is none. Raises StartupError.
    """
    executable = program("redis-server", package="redis-server")
    server = RedisServer(port=free_port())
    with tempfile.TemporaryDirectory(prefix="medusa-auth-redis-") as name:
        folder = Path(name)
        where = ["--bind", "127.0.0.1", "--port", str(server.port), "--dir", name]
        log = folder / "log"
        with running([executable, *where, *NOTHING_ON_DISK], log=log, cwd=folder) as process:
            wait_until(lambda: _answers(server), process, log, "Redis")
            yield server


def _answers(server: RedisServer) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
    except OSError:
        return False
