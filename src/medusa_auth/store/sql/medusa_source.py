"""A Medusa v1 database as a source: it is only read, as it was at one moment, and never held in memory."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.rows import class_row, tuple_row
from psycopg.types.datetime import TimestamptzLoader

from medusa_auth.errors import SettingsError, UnavailableError
from medusa_auth.store.importing import EARLIEST, LATEST, SourceInvite, SourceUser
from medusa_auth.store.sql.engines import PATIENT_CONNECT_SECONDS, first_line, is_postgresql, place, psycopg_url

__all__ = ["MedusaSource"]

T = TypeVar("T")

BATCH = 500

_TIMES = ("created_at", "updated_at", "deleted_at")
_NEEDED = {
    "user": ("id", "email", "first_name", "last_name", "password_hash", "api_token", "metadata", "role", *_TIMES),
    "invite": ("id", "user_email", "role", "accepted", "metadata", "expires_at", *_TIMES),
}
_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_USERS = """
    SELECT id, email, first_name, last_name, role::text AS role, password_hash, api_token, metadata::text AS metadata,
      created_at, updated_at, deleted_at
    FROM "user" ORDER BY id
"""
_INVITES = """
    SELECT id, user_email, role::text AS role, metadata::text AS metadata, created_at, updated_at, expires_at,
      CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN accepted THEN 'accepted'
        WHEN expires_at <= now() THEN 'expired' END AS state
    FROM invite ORDER BY id
"""
# A letter is not lower case, or not ASCII; the collation "C" knows no other capitals.
_UNUSUAL_USERS = """
    SELECT id, email FROM "user" WHERE deleted_at IS NULL
      AND (email <> lower(email COLLATE "C") OR octet_length(convert_to(email, 'UTF8')) <> char_length(email))
"""
_UNUSUAL_INVITES = """
    SELECT id, user_email FROM invite WHERE deleted_at IS NULL AND NOT accepted AND expires_at > now()
      AND (user_email <> lower(user_email COLLATE "C")
        OR octet_length(convert_to(user_email, 'UTF8')) <> char_length(user_email))
"""
_LIVING = 'SELECT email FROM "user" WHERE deleted_at IS NULL AND email = ANY(%s)'
_INVITED = """
    SELECT user_email FROM invite
    WHERE deleted_at IS NULL AND NOT accepted AND expires_at > now() AND user_email = ANY(%s)
"""
_SHARED_TOKENS = """
    SELECT api_token FROM "user" WHERE deleted_at IS NULL AND api_token <> '' GROUP BY api_token HAVING count(*) > 1
"""


class _BoundedLoader(TimestamptzLoader):
    """PostgreSQL has times that Python has not, such as infinity: the nearest is in their place."""

    def load(self, data: Buffer) -> datetime:
        try:
            return super().load(data)
        except psycopg.DataError:
            past = bytes(data).startswith(b"-") or bytes(data).endswith(b"BC")
            return EARLIEST if past else LATEST


class MedusaSource:
    """`store.importing.Source` over one transaction, which reads one moment and cannot write."""

    def __init__(self, connection: psycopg.Connection[Any], url: str) -> None:
        self._connection = connection
        self._url = url

    @classmethod
    @contextmanager
    def open(cls, url: str) -> Iterator[MedusaSource]:
        """Raises SettingsError if it cannot be connected to, or is no Medusa v1's."""
        try:
            connection = psycopg.connect(
                psycopg_url(url),
                connect_timeout=PATIENT_CONNECT_SECONDS,
                client_encoding="utf8",
                application_name="medusa-auth import",
            )
        except psycopg.Error as error:
            raise SettingsError(f"The source cannot be connected to: {first_line(error)}.") from None
        try:
            source = cls(connection, url)
            with source._failures():
                source._begin()
            yield source
        finally:
            connection.close()

    def is_database_of(self, url: str) -> bool:
        """Whether `url`, by whatever name, leads to this very database. Raises SettingsError."""
        if not is_postgresql(url):
            return False
        # A database's locks are its own: one that is held here is taken there only if it is the same.
        key = secrets.randbits(62)
        self._rows("SELECT pg_advisory_xact_lock(%s)", [key])
        try:
            with psycopg.connect(psycopg_url(url), connect_timeout=PATIENT_CONNECT_SECONDS) as other:
                row = other.execute("SELECT pg_try_advisory_xact_lock(%s)", [key]).fetchone()
        except psycopg.Error as error:
            raise SettingsError(f"The database cannot be used: {first_line(error)}.") from None
        return row == (False,)

    def count_users(self) -> int:
        return self._count('SELECT count(*) FROM "user"')

    def count_invites(self) -> int:
        return self._count("SELECT count(*) FROM invite")

    def users(self) -> Iterator[Sequence[SourceUser]]:
        return self._batches(_USERS, SourceUser)

    def invites(self) -> Iterator[Sequence[SourceInvite]]:
        return self._batches(_INVITES, SourceInvite)

    def unusual_emails(self) -> Iterator[tuple[str, str]]:
        return self._pairs(_UNUSUAL_USERS)

    def unusual_invites(self) -> Iterator[tuple[str, str]]:
        return self._pairs(_UNUSUAL_INVITES)

    def living(self, emails: Collection[str]) -> Collection[str]:
        return self._among(_LIVING, emails)

    def invited(self, emails: Collection[str]) -> Collection[str]:
        return self._among(_INVITED, emails)

    def shared_tokens(self) -> Collection[str]:
        return {token for (token,) in self._rows(_SHARED_TOKENS)}

    def _begin(self) -> None:
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        self._connection.adapters.register_loader("timestamptz", _BoundedLoader)
        # It waits while the other database writes.
        for setting in ("statement_timeout = 0", "idle_in_transaction_session_timeout = 0", "TimeZone = 'UTC'"):
            self._connection.execute(f"SET LOCAL {setting}")
        found = {table: {name for (name,) in self._rows(_COLUMNS, [f'"{table}"'])} for table in _NEEDED}
        missing = [
            f"{table}.{column}"
            for table, columns in _NEEDED.items()
            for column in columns
            if column not in found[table]
        ]
        if missing:
            raise SettingsError(self._no_medusa(found, missing))

    def _no_medusa(self, found: dict[str, set[str]], missing: Sequence[str]) -> str:
        where = place(self._url)
        if self._rows("SELECT 1 WHERE to_regclass('provider_identity') IS NOT NULL"):
            return f"{where} is a database of Medusa 2, whose users cannot be imported; a Medusa v1's is needed."
        tables = [table for table in _NEEDED if not found[table]]
        if tables:
            return f"{where} is no Medusa v1 database: it has no table {' and no '.join(tables)}."
        return f"{where} is no Medusa v1 database: it has no column {', '.join(missing)}."

    def _batches(self, query: LiteralString, kind: type[T]) -> Iterator[Sequence[T]]:
        with self._failures(), self._connection.cursor(f"auth_{kind.__name__}", row_factory=class_row(kind)) as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(BATCH):
                yield rows

    def _pairs(self, query: LiteralString) -> Iterator[tuple[str, str]]:
        with self._failures(), self._connection.cursor("auth_unusual", row_factory=tuple_row) as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(BATCH):
                yield from rows

    def _among(self, query: LiteralString, emails: Collection[str]) -> Collection[str]:
        return {email for (email,) in self._rows(query, [list(emails)])}

    def _count(self, query: LiteralString) -> int:
        [(count,)] = self._rows(query)
        return int(count)

    def _rows(self, query: LiteralString, values: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        with self._failures():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise UnavailableError(f"The source cannot be read: {first_line(error)}.") from None
