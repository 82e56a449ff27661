"""SQLite and PostgreSQL: how each is connected to, and what a transaction is on it.

On both a write behaves as if it were alone. On SQLite it is (BEGIN IMMEDIATE); on PostgreSQL it is SERIALIZABLE, and
repeated when another one was in its way. A read sees one moment, and a commit is on the disk when it returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from medusa_auth.errors import SettingsError
from medusa_auth.store.turns import LOOKERS

__all__ = [
    "Access",
    "Database",
    "connected",
    "first_line",
    "is_postgresql",
    "open_database",
    "place",
    "psycopg_url",
    "server_options",
    "sqlalchemy_url",
]

READERS = 2
# SQLite's own wait for the writers of other processes is a poll, and unfair: within a process they take turns.
SQLITE_WRITERS = 1
# They wait for the network and the disk, and not for each other. A worker has ten connections in all (docs/deploy.md).
POSTGRESQL_WRITERS = 4
BUSY_SECONDS = 0.4
# What a server that is there but does not answer may take, in milliseconds.
STATEMENT_TIMEOUT = 800
TCP_USER_TIMEOUT = 1500
CONNECT_SECONDS = 2
# Who is no request may wait for longer.
PATIENT_SECONDS = 60
PATIENT_CONNECT_SECONDS = 5
# PostgreSQL, appendix A: read_only_sql_transaction.
READ_ONLY = "25006"

_BEGIN = "medusa_auth_begin"
# What psycopg would take for its own, and PostgreSQL does not know: a transaction that commits by itself, for one.
_DRIVERS_OPTIONS = frozenset(
    {"autocommit", "conninfo", "context", "cursor_factory", "prepare_threshold", "row_factory"}
)
_POSTGRESQL = ("postgres:", "postgresql:", "postgresql+psycopg:")


class Access(Enum):
    """What a transaction does; to look is to ask one thing, without a transaction."""

    LOOK = "look"
    READ = "read"
    WRITE = "write"


_SQLITE_BEGINS = {Access.LOOK: None, Access.READ: "BEGIN", Access.WRITE: "BEGIN IMMEDIATE"}
_POSTGRESQL_LEVELS = {
    Access.LOOK: "AUTOCOMMIT",
    Access.READ: "REPEATABLE READ",
    Access.WRITE: "SERIALIZABLE",
}


@dataclass(frozen=True)
class Database:
    """An engine, and how many may write with it at once; `READERS` may read."""

    engine: Engine
    writers: int

    def connect(self, access: Access) -> Connection:
        """A connection for one transaction, or for one question."""
        if self.engine.dialect.name == "sqlite":
            return self.engine.connect().execution_options(**{_BEGIN: _SQLITE_BEGINS[access]})
        return self.engine.connect().execution_options(isolation_level=_POSTGRESQL_LEVELS[access])


def is_postgresql(url: str) -> bool:
    return url.startswith(_POSTGRESQL)


def sqlalchemy_url(url: str) -> URL:
    """`url` with the driver that we use. Raises SettingsError if it is not installed."""
    if not is_postgresql(url):
        return make_url(url)
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError:
        raise SettingsError("PostgreSQL needs its driver: pip install 'medusa-auth[postgresql]'.") from None
    return _parsed(url).set(drivername="postgresql+psycopg")


def psycopg_url(url: str) -> str:
    """`url` as libpq reads it."""
    return _parsed(url).set(drivername="postgresql").render_as_string(hide_password=False)


def server_options(url: str, ours: str) -> str:
    """What PostgreSQL is told when it is connected to: what `url` says (a `search_path`), and `ours`, which counts."""
    return " ".join((*_parsed(url).normalized_query.get("options", ()), ours))


def place(url: str) -> str:
    """Where `url` leads, for people: neither its name nor its password is said."""
    parts = _parsed(url)
    if not is_postgresql(url):
        return str(parts.database)
    host = parts.host or parts.query.get("host") or "this machine"
    return f"{parts.database or '(its default)'} on {host}" + (f", port {parts.port}" if parts.port else "")


def _parsed(url: str) -> URL:
    """Raises SettingsError, which repeats nothing: what stands in a wrong place may be the password."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        parts = None
    if parts is None or "@" in (parts.host or ""):
        raise SettingsError(
            "The database's URL cannot be read. It looks like postgresql://user:password@host:5432/database, and in "
            "the password @ is written %40, : %3A, / %2F and % %25."
        )
    if strange := sorted(_DRIVERS_OPTIONS.intersection(parts.query)):
        raise SettingsError(f"The database's URL has an option that PostgreSQL does not know: {strange[0]}.")
    return parts


@contextmanager
def connected(url: str, problem: str = "The database cannot be used: {reason}.") -> Iterator[Connection]:
    """A transaction on PostgreSQL, for a start or a command. Raises SettingsError, with what the database says."""
    options = {"connect_timeout": PATIENT_CONNECT_SECONDS}
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool, connect_args=options)
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise SettingsError(problem.format(reason=first_line(error))) from None
    finally:
        engine.dispose()


def first_line(error: BaseException) -> str:
    """The driver's sentence, which names host and user, and never a password."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0] or type(error).__name__


def open_database(url: str, *, patient: bool = False) -> Database:
    """Nothing is connected to yet. `patient`: for a command, which may wait for a minute where a request may not."""
    return _postgresql(url, patient=patient) if is_postgresql(url) else _sqlite(url, patient=patient)


def _postgresql(url: str, *, patient: bool) -> Database:
    limit = PATIENT_SECONDS * 1000 if patient else STATEMENT_TIMEOUT
    engine = create_engine(
        sqlalchemy_url(url),
        hide_parameters=True,
        pool_size=READERS + LOOKERS + POSTGRESQL_WRITERS,
        max_overflow=0,
        # Younger than most firewalls' patience.
        pool_recycle=300,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT,
            "application_name": "medusa-auth",
            "options": server_options(
                url, f"-c statement_timeout={limit} -c idle_in_transaction_session_timeout={max(limit, 5000)}"
            ),
        },
    )

    if not patient:
        event.listen(engine, "do_connect", _connect)
    event.listen(engine, "handle_error", _renew_if_read_only)
    return Database(engine, POSTGRESQL_WRITERS)


def _connect(_: object, __: object, args: Any, options: dict[str, Any]) -> Any:
    # Here and not above: its driver is an extra.
    from medusa_auth.store.sql.postgres_connections import BoundedConnection  # noqa: PLC0415

    return BoundedConnection.connect(*args, **options)


def _renew_if_read_only(context: ExceptionContext) -> None:
    """What was connected to while the server took no writes may never take one, and whoever connects anew may write.

    So it is with a standby, when the address leads to a primary by now, and after `default_transaction_read_only`.
    """
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        # Then the pool has none of its connections used again.
        context.is_disconnect = True


def _sqlite(url: str, *, patient: bool) -> Database:
    busy = PATIENT_SECONDS if patient else BUSY_SECONDS
    connections = READERS + LOOKERS + SQLITE_WRITERS
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": busy}, pool_size=connections, max_overflow=0
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        # Transactions are begun below, not by the driver, which would begin them late and without a lock.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
        if statement is not None:
            connection.exec_driver_sql(statement)

    return Database(engine, SQLITE_WRITERS)
