"""Password resets in SQL."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from medusa_auth.model import PasswordReset
from medusa_auth.store.sql import tables

__all__ = ["SqlPasswordResets"]

_reset = tables.password_reset


class SqlPasswordResets:
    """`store.base.PasswordResets` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, id_hash: str) -> PasswordReset | None:
        row = self._connection.execute(select(_reset).where(_reset.c.id_hash == id_hash)).first()
        return None if row is None else PasswordReset(*row)

    def add(self, reset: PasswordReset) -> None:
        self._connection.execute(insert(_reset).values(asdict(reset)))

    def delete_of_user(self, user_id: str) -> int:
        return self._connection.execute(delete(_reset).where(_reset.c.user_id == user_id)).rowcount

    def delete_expired(self, now: datetime) -> int:
        return self._connection.execute(delete(_reset).where(_reset.c.expires_at <= now)).rowcount
