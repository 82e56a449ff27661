"""Sessions in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from medusa_auth.model import Session, User
from medusa_auth.store.base import Others
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.padding import padded
from medusa_auth.store.sql.users import living, read_user, user_columns

__all__ = ["SqlSessions"]

_session = tables.session
# Built once: every login says them, or the checks that the cache does not answer.
_ADD = insert(_session)
_BY_HASH = select(_session).where(_session.c.id_hash == bindparam("id_hash"))
# The user's columns come last, so that by their names they are the ones.
_WITH_USERS = (
    select(
        *(column.label(f"session_{column.name}") for column in _session.c),
        *user_columns,
    )
    .join(tables.user, tables.user.c.id == _session.c.user_id)
    .where(_session.c.id_hash.in_(bindparam("id_hashes", expanding=True)), living)
)
_DELETE_EXPIRED = delete(_session).where(_session.c.expires_at <= bindparam("now"))


class SqlSessions:
    """`store.base.Sessions` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_with_users(self, id_hashes: Mapping[str, str]) -> Mapping[str, tuple[Session, User]]:
        rows = self._connection.execute(_WITH_USERS, {"id_hashes": padded(id_hashes.values())})
        found = {row.session_id_hash: (Session(*row[: len(_session.c)]), read_user(row)) for row in rows}
        return {session_id: found[id_hash] for session_id, id_hash in id_hashes.items() if id_hash in found}

    def get(self, id_hash: str) -> Session | None:
        row = self._connection.execute(_BY_HASH, {"id_hash": id_hash}).first()
        return None if row is None else Session(*row)

    def add(self, session: Session, session_id: str, others: Others | None = None) -> None:  # noqa: ARG002 - ours alone
        self._connection.execute(_ADD, asdict(session))

    def touch(self, id_hash: str, seen_at: datetime) -> None:
        later = (_session.c.id_hash == id_hash, _session.c.last_seen_at < seen_at)
        self._connection.execute(update(_session).where(*later).values(last_seen_at=seen_at))

    def delete(self, id_hash: str, session_id: str | None = None) -> str | None:  # noqa: ARG002
        gone = delete(_session).where(_session.c.id_hash == id_hash).returning(_session.c.user_id)
        return self._connection.execute(gone).scalar()

    def delete_of_user(self, user_id: str) -> int:
        return self._connection.execute(delete(_session).where(_session.c.user_id == user_id)).rowcount

    def delete_expired(self, now: datetime) -> None:
        self._connection.execute(_DELETE_EXPIRED, {"now": now})

    def find_others(self, session_id: str) -> Others | None:  # noqa: ARG002
        return None

    def add_others(self, session_id: str, others: Others, expires_at: datetime) -> None:
        """Never asked for: there are no others."""

    def check_writable(self) -> None:
        """As much as the transaction is."""
