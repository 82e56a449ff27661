"""The store that people come into: many rows in one statement, by somebody who has more time than a request has."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from medusa_auth.errors import UnavailableError
from medusa_auth.store.base import Transaction
from medusa_auth.store.importing import Imports, InviteRow, UserRow
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.engines import Access, first_line, open_database
from medusa_auth.store.sql.records import AGAIN_AFTER, IN_THE_WAY, SqlTransaction

__all__ = ["SqlImports", "SqlTarget"]

T = TypeVar("T")
Work = Callable[[Transaction, Imports], T]

# What is in a batch's way may be so for good, such as a key that is taken: then it is told.
TRIES = 12
# In the column `token`, which may not be empty: a token's hash is never that.
NO_TOKEN = "imported: resend it"  # noqa: S105 - none

_user, _invite = tables.user, tables.invite
_USER_COLUMNS = [column for column in _user.c if column.name not in {"api_token", "password_hash"}]


class SqlImports:
    """`store.importing.Imports` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def users(self, ids: Collection[str]) -> Mapping[str, UserRow]:
        rows = self._connection.execute(select(*_USER_COLUMNS).where(_user.c.id.in_(ids))).mappings()
        return {row["id"]: UserRow(**row) for row in rows}

    def living(self, emails: Collection[str]) -> Mapping[str, str]:
        query = select(_user.c.email, _user.c.id).where(_user.c.email.in_(emails), _user.c.deleted_at.is_(None))
        return {row.email: row.id for row in self._connection.execute(query)}

    def invites(self, ids: Collection[str]) -> Collection[str]:
        return set(self._connection.execute(select(_invite.c.id).where(_invite.c.id.in_(ids))).scalars())

    def invited(self, emails: Collection[str]) -> Mapping[str, str]:
        query = select(_invite.c.user_email, _invite.c.id).where(_invite.c.user_email.in_(emails))
        return {row.user_email: row.id for row in self._connection.execute(query)}

    def add_users(self, rows: Sequence[UserRow]) -> None:
        if rows:
            self._connection.execute(insert(_user), [asdict(row) for row in rows])

    def add_invites(self, rows: Sequence[InviteRow]) -> None:
        if rows:
            values = [asdict(row) | {"token": NO_TOKEN, "accepted": False} for row in rows]
            self._connection.execute(insert(_invite), values)


class SqlTarget:
    """The database of `url`, for one who writes a batch at a time and may wait a minute for it."""

    def __init__(self, url: str) -> None:
        self._database = open_database(url, patient=True)

    def read(self, work: Work[T]) -> T:
        """The result of `work`, which sees one moment. Raises UnavailableError."""
        return self._run(work, Access.READ)

    def write(self, work: Work[T]) -> T:
        """The result of `work`, committed; of what fails nothing stays. Raises UnavailableError."""
        return self._run(work, Access.WRITE)

    def close(self) -> None:
        self._database.engine.dispose()

    def _run(self, work: Work[T], access: Access) -> T:
        for _ in range(TRIES):
            try:
                with self._database.connect(access) as connection, connection.begin():
                    return work(SqlTransaction(connection, None), SqlImports(connection))
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in IN_THE_WAY:
                    raise UnavailableError(f"The database cannot be written: {first_line(error)}.") from None
                time.sleep(random.uniform(0, AGAIN_AFTER))  # noqa: S311 - no secret
        raise UnavailableError("The database is being written by too many others.")
