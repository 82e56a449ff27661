"""A PostgreSQL of its own for a test."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql
from tests.services.debian import program
from tests.services.process import free_port, run, running, wait_until

SUPERUSER = "postgres"
UNSAFE_AND_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # the data dies with the test anyway
DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")


class PostgresCluster:
    """A PostgreSQL that runs, on 127.0.0.1 only, with its data in `folder`."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool) -> None:
        self.port = free_port()
        self._password = secrets.token_urlsafe()
        self._folder = folder
        # PostgreSQL refuses to be run by root.
        self._user = SUPERUSER if os.geteuid() == 0 else None
        _init(programs, folder, self._password, self._user)
        settings = _settings(self.port, folder, DURABLE if durable else UNSAFE_AND_FAST)
        self._command: list[str | Path] = [programs / "postgres", "-D", folder / "data", *settings]
        self._running = ExitStack()
        self._pid = 0
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The address of `database`, with the superuser's name and password."""
        return f"postgresql://{SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Makes a database, empty or a copy of another one, and says its address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)
        return self.url(name)

    def start(self) -> None:
        """Again, on the same port and folder. Returns when it answers. Raises StartupError."""
        log = self._folder / "log"
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to go.
        how = running(self._command, log=log, cwd=self._folder, user=self._user, end=signal.SIGINT)
        process = self._running.enter_context(how)
        self._pid = process.pid
        wait_until(lambda: _answers(self), process, log, "PostgreSQL")

    def kill(self) -> None:
        """All of its processes at once, as when the power fails, but for what the kernel has taken already.

        Each is a process group of its own; while the first one is stopped, none is added.
        """
        os.kill(self._pid, signal.SIGSTOP)
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        for pid in [*map(int, children), self._pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._running.close()


@contextmanager
def postgres_cluster(*, durable: bool = False) -> Iterator[PostgresCluster]:
    """Runs a new, empty PostgreSQL on a free port, in a temporary folder.

    `durable`: what is committed survives its end, however it ends. Installs Debian's `postgresql` when there is none.
    Raises StartupError.
    """
    programs = program("initdb", package="postgresql", folders="usr/lib/postgresql/*/bin").parent
    with tempfile.TemporaryDirectory(prefix="medusa-auth-postgres-") as name:
        cluster = PostgresCluster(programs, Path(name), durable=durable)
        try:
            yield cluster
        finally:
            cluster.stop()


def _init(programs: Path, folder: Path, password: str, user: str | None) -> None:
    password_file = folder / "password"
    password_file.write_text(password, "utf-8")
    if user is not None:
        shutil.chown(folder, user, user)
        shutil.chown(password_file, user, user)
    how = [f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
    fast = ["--no-sync", "--locale=C.UTF-8"]
    run([programs / "initdb", "-D", folder / "data", *how, *fast], log=folder / "log", cwd=folder, user=user)


def _settings(port: int, folder: Path, durability: Sequence[str]) -> list[str]:
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *durability]
    return [f"--{setting}" for setting in settings]


def _answers(cluster: PostgresCluster) -> bool:
    try:
        psycopg.connect(cluster.url(), connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
