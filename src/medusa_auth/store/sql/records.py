"""`Records` on SQLAlchemy Core. A store that does not answer within `ANSWER_WITHIN` raises `UnavailableError`."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from medusa_auth.errors import UnavailableError
from medusa_auth.store.base import Sessions, Transaction
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.access_tokens import SqlAccessTokens
from medusa_auth.store.sql.api_tokens import SqlApiTokens
from medusa_auth.store.sql.engines import Access, open_database
from medusa_auth.store.sql.invites import SqlInvites
from medusa_auth.store.sql.outbox import SqlOutbox
from medusa_auth.store.sql.password_resets import SqlPasswordResets
from medusa_auth.store.sql.sessions import SqlSessions
from medusa_auth.store.sql.users import SqlUsers

__all__ = ["CHANNEL", "SessionsElsewhere", "SqlRecords", "SqlTransaction"]

T = TypeVar("T")

# For a turn in this process, and for that and the work, in seconds: then it is 503, within the second that is promised.
TURN_WITHIN = 0.5
ANSWER_WITHIN = 0.9
RETRY_AFTER_SECONDS = 1
# Workers read an announcement at their next check. One that slept longer finds a gap and forgets everybody.
ANNOUNCED_FOR = timedelta(hours=1)
# PostgreSQL's channel for announcements.
CHANNEL = "medusa_auth_changes"
# PostgreSQL, appendix A: serialization_failure, deadlock_detected, unique_violation.
IN_THE_WAY = frozenset({"40001", "40P01", "23505"})
TRIES = 12


class SessionsElsewhere(Sessions, Protocol):
    """Those of a store that is not the transaction's database."""

    def flush(self) -> None:
        """Write what waits for the commit, which follows. Raises UnavailableError: then it does not."""


class SqlTransaction:
    """`store.base.Transaction` over one connection."""

    def __init__(self, connection: Connection, elsewhere: SessionsElsewhere | None) -> None:
        self._connection = connection
        self._elsewhere = elsewhere
        self.announced: set[str] = set()
        self.users = SqlUsers(connection)
        self.sessions: Sessions = elsewhere or SqlSessions(connection)
        self.access_tokens = SqlAccessTokens(connection)
        self.api_tokens = SqlApiTokens(connection)
        self.password_resets = SqlPasswordResets(connection)
        self.invites = SqlInvites(connection)
        self.outbox = SqlOutbox(connection)

    def announce(self, user_id: str, now: datetime) -> None:
        self.announced.add(user_id)
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(select(func.pg_notify(CHANNEL, user_id)))
            return
        self._connection.execute(delete(tables.change).where(tables.change.c.at < now - ANNOUNCED_FOR))
        self._connection.execute(insert(tables.change).values(user_id=user_id, at=now))

    def before_commit(self) -> None:
        if self._elsewhere is not None:
            self._elsewhere.flush()


class SqlRecords:
    """`store.base.Records` on the SQLite file or the PostgreSQL database of `url`.

    `sessions` makes a transaction's sessions, if they are kept elsewhere.
    """

    def __init__(self, url: str, sessions: Callable[[Connection], SessionsElsewhere] | None = None) -> None:
        self._database = open_database(url)
        self._sessions = sessions
        # Told who was announced, when the commit is done.
        self.when_announced: Callable[[Collection[str]], None] | None = None
        self._threads = ThreadPoolExecutor(
            self._database.readers + self._database.writers, thread_name_prefix="records"
        )
        self._readers = asyncio.Semaphore(self._database.readers)
        self._writers = asyncio.Semaphore(self._database.writers)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._in_turn(self._readers, work, Access.READ)

    async def look(self, work: Callable[[Transaction], T]) -> T:
        return await self._in_turn(self._readers, work, Access.LOOK)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._in_turn(self._writers, work, Access.WRITE)

    async def ping(self) -> None:
        await self.read(lambda tx: tx.users.get(""))

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._database.engine.dispose()

    async def _in_turn(self, turn: asyncio.Semaphore, work: Callable[[Transaction], T], access: Access) -> T:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                async with asyncio.timeout(TURN_WITHIN):
                    await turn.acquire()
                future = asyncio.get_running_loop().run_in_executor(self._threads, self._repeated, work, access)
                # The turn ends with the work, also if whoever waited for it has gone away.
                future.add_done_callback(lambda done: _end(turn, done))
                return await asyncio.shield(future)
        except TimeoutError:
            # It may still be done: who asks again is told the same.
            raise _unavailable() from None

    def _repeated(self, work: Callable[[Transaction], T], access: Access) -> T:
        until = time.monotonic() + ANSWER_WITHIN
        for attempt in range(TRIES):
            try:
                return self._transaction(work, access)
            except _InTheWayError:
                if time.monotonic() > until:
                    break
                time.sleep(random.uniform(0, 0.002 * (attempt + 1)))  # noqa: S311 - no secret
        raise _unavailable()

    def _transaction(self, work: Callable[[Transaction], T], access: Access) -> T:
        with _failures():
            with self._database.connect(access) as connection, connection.begin():
                tx = SqlTransaction(connection, self._sessions and self._sessions(connection))
                result = work(tx)
                tx.before_commit()
            if tx.announced and self.when_announced is not None:
                self.when_announced(tx.announced)
            return result


class _InTheWayError(Exception):
    """Another transaction was: this one is undone, and can be done again."""


@contextmanager
def _failures() -> Iterator[None]:
    """What the database cannot do becomes `UnavailableError`; what we asked wrongly stays what it is."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in IN_THE_WAY:
            raise _InTheWayError from None
        if isinstance(error, IntegrityError):
            raise
        raise _unavailable() from None
    except OSError:
        raise _unavailable() from None


def _end(turn: asyncio.Semaphore, done: asyncio.Future[T]) -> None:
    turn.release()
    if not done.cancelled():
        # Looked at here, for whoever waited may have gone away.
        done.exception()


def _unavailable() -> UnavailableError:
    return UnavailableError("The database cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
