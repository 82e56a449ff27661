"""`Records` on SQLAlchemy Core. A store that does not answer within `ANSWER_WITHIN` raises `UnavailableError`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from medusa_auth.store.base import Sessions, Transaction
from medusa_auth.store.failures import Failures
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.access_tokens import SqlAccessTokens
from medusa_auth.store.sql.api_tokens import SqlApiTokens
from medusa_auth.store.sql.engines import READERS, Access, first_line, open_database
from medusa_auth.store.sql.invites import SqlInvites
from medusa_auth.store.sql.outbox import SqlOutbox
from medusa_auth.store.sql.password_resets import SqlPasswordResets
from medusa_auth.store.sql.sessions import SqlSessions
from medusa_auth.store.sql.users import SqlUsers
from medusa_auth.store.turns import ANSWER_WITHIN, Turns, unavailable

__all__ = ["CHANNEL", "SESSIONS_CHANNEL", "SessionsElsewhere", "SessionsOf", "SqlRecords", "SqlTransaction"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Workers read an announcement at their next check. One that slept longer finds a gap and forgets everybody.
ANNOUNCED_FOR = timedelta(hours=1)
# PostgreSQL's channel for announcements.
CHANNEL = "medusa_auth_changes"
# And, where users are shared, for those whose sessions have to end: the user, and since when theirs are good again.
SESSIONS_CHANNEL = "medusa_auth_sessions"
# PostgreSQL, appendix A: serialization_failure, deadlock_detected, unique_violation.
IN_THE_WAY = frozenset({"40001", "40P01", "23505"})
# Seconds until it is, at most.
AGAIN_AFTER = 0.01


class SessionsElsewhere(Sessions, Protocol):
    """Those of a store that is not the transaction's database."""

    def flush(self) -> None:
        """Write what waits for the commit, which follows. Raises UnavailableError: then it does not."""


SessionsOf = Callable[[Connection], SessionsElsewhere]


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

    `sessions` is for those that are kept elsewhere: called once for a transaction, and what it gives once for each try.
    """

    def __init__(self, url: str, sessions: Callable[[], SessionsOf] | None = None) -> None:
        self._database = open_database(url)
        self._sessions = sessions
        self.failures = Failures("The database", first_line)
        # Told who was announced, when the commit is done.
        self.when_announced: Callable[[Collection[str]], None] | None = None
        self._turns = Turns(READERS, self._database.writers)
        # Whoever does a transaction again does it alone, in this process.
        self._again = threading.Lock()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._turns.read(lambda: self._repeated(work, Access.READ))

    async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
        def find_all(keys: Sequence[K]) -> Mapping[K, V]:
            return self._repeated(lambda tx: find(tx, keys), Access.LOOK)

        return await self._turns.look(find, key, find_all)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._turns.write(lambda: self._repeated(work, Access.WRITE))

    async def ping(self) -> None:
        await self.read(lambda tx: tx.users.get(""))

    def close(self) -> None:
        self._turns.close()
        self._database.engine.dispose()

    def _repeated(self, work: Callable[[Transaction], T], access: Access) -> T:
        until = time.monotonic() + ANSWER_WITHIN
        sessions = self._sessions() if self._sessions else None
        try:
            return self._transaction(work, access, sessions)
        except _InTheWayError:
            pass
        # Those that were in each other's way would be so again, and of many that want the same, some for ever.
        if self._again.acquire(timeout=ANSWER_WITHIN):
            try:
                while time.monotonic() < until:
                    time.sleep(random.uniform(0, AGAIN_AFTER))  # noqa: S311 - no secret
                    try:
                        return self._transaction(work, access, sessions)
                    except _InTheWayError:
                        continue
            finally:
                self._again.release()
        raise unavailable()

    def _transaction(self, work: Callable[[Transaction], T], access: Access, sessions: SessionsOf | None) -> T:
        with self._problems():
            with self._database.connect(access) as connection, connection.begin():
                tx = SqlTransaction(connection, sessions and sessions(connection))
                result = work(tx)
                tx.before_commit()
            if tx.announced and self.when_announced is not None:
                self.when_announced(tx.announced)
            return result

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """What the database cannot do becomes `UnavailableError`, and the log says why; what we asked wrongly stays."""
        try:
            yield
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in IN_THE_WAY:
                raise _InTheWayError from None
            if isinstance(error, (IntegrityError, DataError)):
                raise
            self.failures.tell(error)
            raise unavailable() from None
        except OSError as error:
            self.failures.tell(error)
            raise unavailable() from None


class _InTheWayError(Exception):
    """Another transaction was: this one is undone, and can be done again."""
