"""What SQL knows of sessions that are kept elsewhere: which have ended, however old a copy of them may come back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from medusa_auth.model import Session, User
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.padding import padded
from medusa_auth.store.sql.users import living, read_user, user_columns

__all__ = ["SqlEndedSessions"]

_ended = tables.session_ended
_not_before = tables.access_token_not_before
# Built once: the checks that the cache does not answer say them. Hardly ever has one of the sessions ended.
_STATE = select(
    exists().where(_ended.c.id_hash == bindparam("id_hash")),
    select(_not_before.c.moment).where(_not_before.c.user_id == bindparam("user_id")).scalar_subquery(),
)
_are_these = _ended.c.id_hash.in_(bindparam("id_hashes", expanding=True))
_LIVING = (
    select(*user_columns, _not_before.c.moment, exists().where(_are_these).label("any_ended"))
    .join_from(tables.user, _not_before, tables.user.c.id == _not_before.c.user_id, isouter=True)
    .where(tables.user.c.id.in_(bindparam("user_ids", expanding=True)), living)
)
_ENDED = select(_ended.c.id_hash).where(_are_these)
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

    def living_users(self, sessions: Collection[Session]) -> Mapping[str, User]:
        """By `id_hash` whose they are, without those that have ended, as in `has_ended`, or whose users are no more."""
        id_hashes = padded([session.id_hash for session in sessions])
        user_ids = padded({session.user_id for session in sessions if "\0" not in session.user_id})
        rows = self._connection.execute(_LIVING, {"id_hashes": id_hashes, "user_ids": user_ids}).all()
        ended: Collection[str] = ()
        if rows and rows[0].any_ended:
            ended = set(self._connection.execute(_ENDED, {"id_hashes": id_hashes}).scalars())
        users = {row.id: (read_user(row), row.moment) for row in rows}
        living_users: dict[str, User] = {}
        for session in sessions:
            user, not_before = users.get(session.user_id, (None, None))
            is_over = session.id_hash in ended or (not_before is not None and session.created_at < not_before)
            if user is not None and not is_over:
                living_users[session.id_hash] = user
        return living_users

    def earliest(self, user_id: str) -> datetime | None:
        """A new session of the user counts as begun at this moment or later.

        Nobody changes the user while this transaction lasts: a password that is changed at the same time ends the
        session, or the transaction is repeated and sees the new password.
        """
        self._connection.execute(_HOLD, {"user_id": user_id})
        return self._connection.execute(_NOT_BEFORE, {"user_id": user_id}).scalar()

    def add_all(self, expiries: Mapping[str, datetime]) -> None:
        """By `id_hash`, each remembered until its moment."""
        if not expiries:
            return
        known = set(self._connection.execute(select(_ended.c.id_hash).where(_ended.c.id_hash.in_(expiries))).scalars())
        new = [{"id_hash": name, "expires_at": moment} for name, moment in expiries.items() if name not in known]
        if new:
            self._connection.execute(insert(_ended), new)

    def delete_expired(self, now: datetime) -> None:
        self._connection.execute(delete(_ended).where(_ended.c.expires_at <= now))
