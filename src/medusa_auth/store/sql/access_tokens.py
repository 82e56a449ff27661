"""Ended access tokens in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from medusa_auth.store.base import TokenState
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.users import living, read_user, user_columns

__all__ = ["SqlAccessTokens"]

_not_before = tables.access_token_not_before
_revoked = tables.access_token_revoked
# Built once: every check that the cache does not answer says it.
_STATE = (
    select(
        *user_columns,
        _not_before.c.moment,
        exists().where(_revoked.c.token_id == bindparam("token_id")).label("revoked"),
    )
    .join_from(tables.user, _not_before, tables.user.c.id == _not_before.c.user_id, isouter=True)
    .where(tables.user.c.id == bindparam("user_id"), living)
)


class SqlAccessTokens:
    """`store.base.AccessTokens` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def not_before(self, user_id: str) -> datetime | None:
        query = select(_not_before.c.moment).where(_not_before.c.user_id == user_id)
        return self._connection.execute(query).scalar()

    def find_user(self, user_id: str, token_id: str) -> TokenState | None:
        if "\0" in user_id:
            return None
        row = self._connection.execute(_STATE, {"user_id": user_id, "token_id": token_id}).first()
        return None if row is None else TokenState(read_user(row), row.moment, bool(row.revoked))

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
