"""API tokens in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select, update

from medusa_auth.model import ApiToken
from medusa_auth.store.sql import tables

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


class SqlApiTokens:
    """`store.base.ApiTokens` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, token_id: str) -> ApiToken | None:
        row = self._connection.execute(select(*_columns).where(_token.c.id == token_id)).first()
        return None if row is None else ApiToken(*row)

    def get_by_hash(self, token_hash: str) -> ApiToken | None:
        row = self._connection.execute(select(*_columns).where(_token.c.token_hash == token_hash)).first()
        return None if row is None else ApiToken(*row)

    def list(self) -> Sequence[ApiToken]:
        query = select(*_columns).order_by(_token.c.created_at, _token.c.id)
        return [ApiToken(*row) for row in self._connection.execute(query)]

    def add(self, token: ApiToken, token_hash: str) -> None:
        values = {column.name: getattr(token, column.name) for column in _columns}
        self._connection.execute(insert(_token).values(values | {"token_hash": token_hash}))

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
