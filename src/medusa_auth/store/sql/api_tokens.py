"""API tokens in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from medusa_auth.model import ApiToken, User
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.padding import padded
from medusa_auth.store.sql.users import living, read_user, user_columns

__all__ = ["SqlApiTokens"]

_token = tables.api_token
_columns = (
    _token.c.id,
    _token.c.user_id,
    _token.c.name,
    _token.c.created_at,
    _token.c.last_used_at,
    _token.c.expires_at,
)
_BY_HASH = select(*_columns).where(_token.c.token_hash == bindparam("token_hash"))
# The user's columns come last, so that by their names they are the ones.
_WITH_USERS = (
    select(_token.c.token_hash, *(column.label(f"token_{column.name}") for column in _columns), *user_columns)
    .join(tables.user, tables.user.c.id == _token.c.user_id)
    .where(_token.c.token_hash.in_(bindparam("token_hashes", expanding=True)), living)
)


class SqlApiTokens:
    """`store.base.ApiTokens` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, token_id: str) -> ApiToken | None:
        row = self._connection.execute(select(*_columns).where(_token.c.id == token_id)).first()
        return None if row is None else ApiToken(*row)

    def get_by_hash(self, token_hash: str) -> ApiToken | None:
        row = self._connection.execute(_BY_HASH, {"token_hash": token_hash}).first()
        return None if row is None else ApiToken(*row)

    def find_with_users(self, token_hashes: Sequence[str]) -> Mapping[str, tuple[ApiToken, User]]:
        rows = self._connection.execute(_WITH_USERS, {"token_hashes": padded(token_hashes)})
        return {row.token_hash: (ApiToken(*row[1 : len(_columns) + 1]), read_user(row)) for row in rows}

    def list(self) -> Sequence[ApiToken]:
        query = select(*_columns).order_by(_token.c.created_at, _token.c.id)
        return [ApiToken(*row) for row in self._connection.execute(query)]

    def add(self, token: ApiToken, token_hash: str) -> None:
        self._connection.execute(insert(_token).values(asdict(token) | {"token_hash": token_hash}))

    def touch(self, token_id: str, used_at: datetime) -> None:
        earlier = or_(_token.c.last_used_at.is_(None), _token.c.last_used_at < used_at)
        self._connection.execute(update(_token).where(_token.c.id == token_id, earlier).values(last_used_at=used_at))

    def delete(self, token_id: str) -> str | None:
        gone = delete(_token).where(_token.c.id == token_id).returning(_token.c.user_id)
        return self._connection.execute(gone).scalar()

    def delete_of_user(self, user_id: str) -> int:
        return self._connection.execute(delete(_token).where(_token.c.user_id == user_id)).rowcount

    def delete_named(self, user_id: str, name: str) -> int:
        named = delete(_token).where(_token.c.user_id == user_id, _token.c.name == name)
        return self._connection.execute(named).rowcount
