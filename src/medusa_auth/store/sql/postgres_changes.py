"""`Changes` on PostgreSQL: LISTEN, on a connection of its own, which a thread reads.

A notification is sent with its commit and arrives within milliseconds, before the answer to what is asked after the
commit: see `store.hearing`.
"""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Callable, Collection
from contextlib import suppress

import psycopg

from medusa_auth.store.failures import Failures
from medusa_auth.store.hearing import ASK_EVERY, CONNECT_AGAIN_AFTER, HEARD_WITHIN, Hearing, steady
from medusa_auth.store.sql.engines import (
    CONNECT_SECONDS,
    STATEMENT_TIMEOUT,
    TCP_USER_TIMEOUT,
    first_line,
    psycopg_url,
    server_options,
)
from medusa_auth.store.sql.postgres_connections import BoundedConnection
from medusa_auth.store.sql.records import CHANNEL, SESSIONS_CHANNEL

__all__ = ["PostgresChanges"]

_log = logging.getLogger(__name__)

LOOK_FOR_POOLER_EVERY = 10.0


class _PoolerError(Exception):
    """What we talk to is not PostgreSQL itself."""


class PostgresChanges:
    """Hears of what is announced in the database of `url` from now on. `clock` is in seconds, and never stands.

    `end_sessions` is told of users who were deleted or got another password, whoever did it, and since when their
    sessions are good again, in seconds since 1970. `failures` is told why nothing can be heard, and when it is over.
    """

    delay = HEARD_WITHIN

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = steady,
        end_sessions: Callable[[str, float], None] | None = None,
        failures: Failures | None = None,
    ) -> None:
        self._url = psycopg_url(url)
        self._options = server_options(url, f"-c statement_timeout={STATEMENT_TIMEOUT}")
        self._end_sessions = end_sessions
        self._failures = failures or Failures("The database", first_line)
        self._was_away = False
        self._told_of_pooler = False
        self._clock = clock
        self._hearing = Hearing(clock)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
        self._thread.start()
        self._hearing.wait()

    def poll(self) -> Collection[str] | None:
        return self._hearing.poll()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(2 * CONNECT_AGAIN_AFTER + TCP_USER_TIMEOUT / 1000)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except _PoolerError:
                self._tell_of_pooler()
                self._hearing.give_up_waiting()
                self._closed.wait(LOOK_FOR_POOLER_EVERY)
            except Exception as error:  # noqa: BLE001 - whatever it is: a thread that has ended never hears again
                self._hearing.lost()
                self._was_away = True
                self._failures.tell(error)
                self._closed.wait(CONNECT_AGAIN_AFTER)

    def _tell_of_pooler(self) -> None:
        """Once: whoever wants a pooler is not to be told of it all day long."""
        if not self._told_of_pooler:
            _log.warning(
                "DATABASE_URL leads to a pooler, where announcements may get lost: every check asks the database"
            )
        self._told_of_pooler = True

    def _listen(self) -> None:
        with BoundedConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="medusa-auth changes",
            tcp_user_timeout=TCP_USER_TIMEOUT,
            options=self._options,
        ) as connection:
            _check_direct(connection)
            self._told_of_pooler = False
            connection.add_notify_handler(self._heard)
            connection.execute(f"LISTEN {CHANNEL}")
            if self._end_sessions is not None:
                connection.execute(f"LISTEN {SESSIONS_CHANNEL}")
            self._hearing.connected()
            arrival = select.poll()
            arrival.register(connection.fileno(), select.POLLIN)
            while not self._closed.is_set():
                # With the answer come the notifications before it; then there is time until the next one.
                self._ask(connection)
                arrival.poll(ASK_EVERY * 1000)

    def _ask(self, connection: BoundedConnection) -> None:
        asked_at = self._clock()
        connection.execute("SELECT 1")
        self._hearing.up_to(asked_at)
        if self._was_away:
            self._was_away = False
            self._failures.over()

    def hear(self, users: Collection[str]) -> None:
        """What this process announced itself, at once."""
        self._hearing.add(users)

    def _heard(self, notify: psycopg.Notify) -> None:
        if notify.channel == CHANNEL:
            self.hear([notify.payload])
        elif self._end_sessions is not None:
            user_id, _, since = notify.payload.rpartition(" ")
            # Whoever may connect to the database may announce what nobody understands.
            with suppress(ValueError):
                self._end_sessions(user_id, float(since))


def _check_direct(connection: BoundedConnection) -> None:
    """Raises _PoolerError if a program between gives each transaction another server process (as PgBouncer may).

    LISTEN is of one process, and the questions after it would be answered by others that hear nothing. Such a program
    has told the client of a process which is not the one that answers.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise _PoolerError
