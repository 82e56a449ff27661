"""Ended access tokens in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from medusa_auth.store.base import TokenState
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.padding import padded
from medusa_auth.store.sql.users import living, read_user, user_columns

__all__ = ["SqlAccessTokens"]

_not_before = tables.access_token_not_before
_revoked = tables.access_token_revoked
# Built once: the checks that the cache does not answer say them. Hardly ever has one of the tokens been revoked.
_are_these = _revoked.c.token_id.in_(bindparam("token_ids", expanding=True))
_STATES = (
    select(*user_columns, _not_before.c.moment, exists().where(_are_these).label("any_revoked"))
    .join_from(tables.user, _not_before, tables.user.c.id == _not_before.c.user_id, isouter=True)
    .where(tables.user.c.id.in_(bindparam("user_ids", expanding=True)), living)
)
_REVOKED = select(_revoked.c.token_id).where(_are_these)


class SqlAccessTokens:
    """`store.base.AccessTokens` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def not_before(self, user_id: str) -> datetime | None:
        query = select(_not_before.c.moment).where(_not_before.c.user_id == user_id)
        return self._connection.execute(query).scalar()

    def find_users(self, tokens: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], TokenState]:
        user_ids = {user_id for user_id, _ in tokens if "\0" not in user_id}
        token_ids = padded([token_id for _, token_id in tokens])
        rows = self._connection.execute(_STATES, {"user_ids": padded(user_ids), "token_ids": token_ids}).all()
        revoked: Collection[str] = ()
        if rows and rows[0].any_revoked:
            revoked = set(self._connection.execute(_REVOKED, {"token_ids": token_ids}).scalars())
        users = {row.id: (read_user(row), row.moment) for row in rows}
        return {
            (user_id, token_id): TokenState(*users[user_id], token_id in revoked)
            for user_id, token_id in tokens
            if user_id in users
        }

    def set_not_before(self, user_id: str, moment: datetime) -> None:
        moved = update(_not_before).where(_not_before.c.user_id == user_id).values(moment=moment)
        if self._connection.execute(moved).rowcount == 0:
            self._connection.execute(insert(_not_before).values(user_id=user_id, moment=moment))

    def is_revoked(self, token_id: str) -> bool:
        query = select(_revoked.c.token_id).where(_revoked.c.token_id == token_id)
        return self._connection.execute(query).first() is not None

    def revoke(self, token_id: str, user_id: str, expires_at: datetime) -> None:
        if not self.is_revoked(token_id):
            row = {"token_id": token_id, "user_id": user_id, "expires_at": expires_at}
            self._connection.execute(insert(_revoked).values(row))

    def delete_expired(self, now: datetime) -> int:
        return self._connection.execute(delete(_revoked).where(_revoked.c.expires_at <= now)).rowcount
