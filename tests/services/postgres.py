"""A PostgreSQL of its own for a test."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from tests.services.debian import program
from tests.services.process import free_port, run, running, wait_until

SUPERUSER = "postgres"
UNSAFE_AND_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # the data dies with the test anyway


@dataclass(frozen=True)
class PostgresCluster:
    """A running PostgreSQL, on 127.0.0.1 only."""

    port: int
    password: str = field(repr=False)

    def url(self, database: str = "postgres") -> str:
        """The address of `database`, with the superuser's name and password."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Makes a database, empty or a copy of another one, and says its address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)
        return self.url(name)


@contextmanager
def postgres_cluster() -> Iterator[PostgresCluster]:
    """Runs a new, empty PostgreSQL on a free port, in a temporary folder.

    Installs Debian's `postgresql` when there is none. Raises StartupError.
    """
    programs = program("initdb", package="postgresql", folders="usr/lib/postgresql/*/bin").parent
    # PostgreSQL refuses to be run by root.
    user = SUPERUSER if os.geteuid() == 0 else None
    cluster = PostgresCluster(port=free_port(), password=secrets.token_urlsafe())
    with tempfile.TemporaryDirectory(prefix="medusa-auth-postgres-") as name:
        folder = Path(name)
        _init(programs, folder, cluster.password, user)
        command: list[str | Path] = [programs / "postgres", "-D", folder / "data", *_settings(cluster.port, folder)]
        log = folder / "log"
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to go.
        with running(command, log=log, cwd=folder, user=user, end=signal.SIGINT) as process:
            wait_until(lambda: _answers(cluster), process, log, "PostgreSQL")
            yield cluster


def _init(programs: Path, folder: Path, password: str, user: str | None) -> None:
    password_file = folder / "password"
    password_file.write_text(password, "utf-8")
    if user is not None:
        shutil.chown(folder, user, user)
        shutil.chown(password_file, user, user)
    how = [f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
    fast = ["--no-sync", "--locale=C.UTF-8"]
    run([programs / "initdb", "-D", folder / "data", *how, *fast], log=folder / "log", cwd=folder, user=user)


def _settings(port: int, folder: Path) -> list[str]:
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *UNSAFE_AND_FAST]
    return [f"--{setting}" for setting in settings]


def _answers(cluster: PostgresCluster) -> bool:
    try:
        psycopg.connect(cluster.url(), connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
