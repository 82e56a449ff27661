"""`Records` on SQLAlchemy Core.

SQLite runs in WAL mode: readers never wait, writers take turns, and a commit is on the disk when it returns
(synchronous=FULL). A store that does not answer within a second raises `UnavailableError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, delete, event, insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from medusa_auth.errors import UnavailableError
from medusa_auth.store.base import Transaction
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.access_tokens import SqlAccessTokens
from medusa_auth.store.sql.api_tokens import SqlApiTokens
from medusa_auth.store.sql.invites import SqlInvites
from medusa_auth.store.sql.outbox import SqlOutbox
from medusa_auth.store.sql.password_resets import SqlPasswordResets
from medusa_auth.store.sql.sessions import SqlSessions
from medusa_auth.store.sql.users import SqlUsers

__all__ = ["SqlRecords", "SqlTransaction"]

T = TypeVar("T")

# Waiting for a turn in this process, and for the writers of others: together no more than a second.
TURN_SECONDS = 0.5
BUSY_SECONDS = 0.4
READERS = 4
RETRY_AFTER_SECONDS = 1
# Workers read an announcement at their next check. One that slept longer finds a gap and forgets everybody.
ANNOUNCED_FOR = timedelta(hours=1)

_WRITES = "medusa_auth_writes"


class SqlTransaction:
    """`store.base.Transaction` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.users = SqlUsers(connection)
        self.sessions = SqlSessions(connection)
        self.access_tokens = SqlAccessTokens(connection)
        self.api_tokens = SqlApiTokens(connection)
        self.password_resets = SqlPasswordResets(connection)
        self.invites = SqlInvites(connection)
        self.outbox = SqlOutbox(connection)

    def announce(self, user_id: str, now: datetime) -> None:
        self._connection.execute(delete(tables.change).where(tables.change.c.at < now - ANNOUNCED_FOR))
        self._connection.execute(insert(tables.change).values(user_id=user_id, at=now))


class SqlRecords:
    """`store.base.Records` on the SQLite file of `url` (`sqlite:///path`)."""

    def __init__(self, url: str) -> None:
        self._engine = _sqlite_engine(url)
        self._threads = ThreadPoolExecutor(READERS + 1, thread_name_prefix="records")
        self._readers = asyncio.Semaphore(READERS)
        # One writer at a time: SQLite's own wait is a poll, and unfair. Writers of other processes are left to it.
        self._writer = asyncio.Semaphore(1)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._in_turn(self._readers, work, writes=False)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._in_turn(self._writer, work, writes=True)

    async def ping(self) -> None:
        await self.read(lambda tx: tx.users.get(""))

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._engine.dispose()

    async def _in_turn(self, turn: asyncio.Semaphore, work: Callable[[Transaction], T], *, writes: bool) -> T:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turn.acquire()
        except TimeoutError:
            raise _unavailable() from None
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._transaction, work, writes)
        # The turn ends with the work, also if whoever waited for it has gone away.
        future.add_done_callback(lambda _: turn.release())
        return await asyncio.shield(future)

    def _transaction(self, work: Callable[[Transaction], T], writes: bool) -> T:  # noqa: FBT001 - called by an executor
        with _failures(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: writes})
            with connection.begin():
                return work(SqlTransaction(connection))


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=READERS + 1, max_overflow=0)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        # Transactions are begun below, not by the driver, which would begin them late and without a lock.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _failures() -> Iterator[None]:
    """What the database cannot do becomes `UnavailableError`; what we asked wrongly stays what it is."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, OSError):
        raise _unavailable() from None


def _unavailable() -> UnavailableError:
    return UnavailableError("The database cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
