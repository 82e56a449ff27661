"""What SQL knows of sessions that are kept elsewhere: which have ended, however old a copy of them may come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from medusa_auth.model import User
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.users import living, read_user, user_columns

__all__ = ["SqlEndedSessions"]

_ended = tables.session_ended
_not_before = tables.access_token_not_before
# Built once: every check that the cache does not answer says it.
_STATE = select(
    exists().where(_ended.c.id_hash == bindparam("id_hash")),
    select(_not_before.c.moment).where(_not_before.c.user_id == bindparam("user_id")).scalar_subquery(),
)
_LIVING = (
    select(
        *user_columns,
        _not_before.c.moment,
        exists().where(_ended.c.id_hash == bindparam("id_hash")).label("ended"),
    )
    .join_from(tables.user, _not_before, tables.user.c.id == _not_before.c.user_id, isouter=True)
    .where(tables.user.c.id == bindparam("user_id"), living)
)
_HOLD = select(tables.user.c.id).where(tables.user.c.id == bindparam("user_id")).with_for_update(read=True)
_NOT_BEFORE = select(_not_before.c.moment).where(_not_before.c.user_id == bindparam("user_id"))


class SqlEndedSessions:
    """Over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def has_ended(self, id_hash: str, user_id: str, created_at: datetime) -> bool:
        """By itself, or with all that its user had at some moment."""
        row = self._connection.execute(_STATE, {"id_hash": id_hash, "user_id": user_id}).one()
        ended, not_before = row
        return bool(ended) or (not_before is not None and created_at < not_before)

    def living_user(self, id_hash: str, user_id: str, created_at: datetime) -> User | None:
        """Whose it is; None if it has ended, as in `has_ended`, or if they are no more: asked once."""
        row = (
            None
            if "\0" in user_id
            else self._connection.execute(_LIVING, {"id_hash": id_hash, "user_id": user_id}).first()
        )
        if row is None or row.ended or (row.moment is not None and created_at < row.moment):
            return None
        return read_user(row)

    def earliest(self, user_id: str) -> datetime | None:
        """A new session of the user counts as begun at this moment or later.

        Nobody changes the user while this transaction lasts: a password that is changed at the same time ends the
        session, or the transaction is repeated and sees the new password.
        """
        self._connection.execute(_HOLD, {"user_id": user_id})
        return self._connection.execute(_NOT_BEFORE, {"user_id": user_id}).scalar()

    def add(self, id_hash: str, expires_at: datetime) -> None:
        """Remembered until `expires_at`."""
        self.add_all({id_hash: expires_at})

    def add_all(self, expiries: Mapping[str, datetime]) -> None:
        """As `add`, of many, by `id_hash`."""
        known = set(self._connection.execute(select(_ended.c.id_hash).where(_ended.c.id_hash.in_(expiries))).scalars())
        new = [{"id_hash": name, "expires_at": moment} for name, moment in expiries.items() if name not in known]
        if new:
            self._connection.execute(insert(_ended), new)

    def delete_expired(self, now: datetime) -> None:
        self._connection.execute(delete(_ended).where(_ended.c.expires_at <= now))
