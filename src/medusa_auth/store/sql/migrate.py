"""Bring the schema of a database up to date."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from medusa_auth.errors import SettingsError
from medusa_auth.store.sql.engines import connected, is_postgresql

__all__ = ["HEAD", "Schema", "look", "migrate"]

# The newest migration. Kept here so that a start that has nothing to migrate need not load Alembic, which takes longer
# than the rest of the start.
HEAD = "0003"
# Any number, the same for all: who migrates a PostgreSQL database holds it.
ADVISORY_LOCK = 0x6D656475


# Medusa's own, which may stand before ours.
MEDUSAS = ("invite", "user")


@dataclass(frozen=True, slots=True)
class Schema:
    """What stands in a database: the version of ours, None if there is none yet, and which of Medusa's tables."""

    version: str | None
    medusas: tuple[str, ...]


def look(url: str) -> Schema:
    """What stands in the database of `url`. Writes nothing, and makes no file. Raises as `migrate`."""
    if is_postgresql(url):
        with connected(url) as connection:
            return _look(connection)
    path = Path(make_url(url).database or "")
    try:
        return _look_into(path, "ro") if path.exists() else Schema(None, ())
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(f"The database {path} cannot be used: {error}.") from None


def migrate(url: str) -> Schema:
    """Make the SQLite file of `url` (mode 0600) if it is missing, and its schema if it is not the newest.

    What stood before is given. On PostgreSQL the database has to be there. Safe to run twice, and by two processes or
    machines at once. Raises SettingsError if the database cannot be used.
    """
    if is_postgresql(url):
        return _migrate_postgresql(url)
    path = Path(make_url(url).database or "")
    try:
        # The lock has a file of its own: SQLite's own locks must not be touched by anybody else.
        with (path.parent / (path.name + ".migrating")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _make(path)
            before = _look_into(path)
            if before.version != HEAD:
                _upgrade(url)
            return before
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(f"The database {path} cannot be used: {error}.") from None


def _make(path: Path) -> None:
    """An empty file where there is none. One that is there is not opened.

    To close it in any way but SQLite's would end all of SQLite's locks that this process has, and the next process that
    leaves would throw away what this one wrote.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


def _migrate_postgresql(url: str) -> Schema:
    with connected(url) as connection:
        # Until the commit.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        before = _look(connection)
        if before.version != HEAD:
            _run_migrations(connection)
        return before


def _look(connection: Connection) -> Schema:
    standing = [
        name
        for name in ("auth_schema_version", *MEDUSAS)
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": f'"{name}"'}).scalar()
    ]
    known = "auth_schema_version" in standing
    version = connection.execute(text("SELECT version_num FROM auth_schema_version")).scalar() if known else None
    return _schema(version, standing)


def _run_migrations(connection: Connection) -> None:
    # Here and not above: see HEAD.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SettingsError(f"The database's schema is not one of this program's: {error}.") from None


def _look_into(path: Path, mode: str = "rw") -> Schema:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)) as connection:
        standing = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        known = "auth_schema_version" in standing
        row = connection.execute("SELECT version_num FROM auth_schema_version").fetchone() if known else None
        return _schema(str(row[0]) if row else None, standing)


def _schema(version: str | None, standing: Sequence[str]) -> Schema:
    """Raises SettingsError if it was made by a newer version of this program."""
    if version is not None and version > HEAD:
        raise SettingsError(
            f"The database's schema, version {version}, is newer than this program, which knows {HEAD}: update it."
        )
    return Schema(version, tuple(name for name in MEDUSAS if name in standing))


def _upgrade(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    # The driver would commit each CREATE TABLE by itself: all of it is made, or nothing.
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            _run_migrations(connection)
    except SQLAlchemyError as error:
        raise SettingsError(f"The database {make_url(url).database} cannot be used: {error}.") from None
    finally:
        engine.dispose()
    # Here, where nobody else has it open: later a writer would be in the way.
    with closing(sqlite3.connect(make_url(url).database or "")) as database:
        database.execute("PRAGMA journal_mode=WAL")
