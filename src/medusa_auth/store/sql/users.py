"""Administrators in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from medusa_auth.errors import DuplicateError
from medusa_auth.model import Role, User
from medusa_auth.store.sql import tables

__all__ = ["SqlUsers"]

_user = tables.user
_living = _user.c.deleted_at.is_(None)
_columns = (
    _user.c.id,
    _user.c.email,
    _user.c.role,
    _user.c.created_at,
    _user.c.updated_at,
    _user.c.first_name,
    _user.c.last_name,
    _user.c.metadata,
)

# Built once: every login asks it twice.
_BY_EMAIL = select(*_columns, _user.c.password_hash).where(_user.c.email == bindparam("email"), _living)


def _read(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        id=row.id,
        email=row.email,
        # A role may be null in Medusa's table; it means what a row without one means there.
        role=Role(row.role or Role.MEMBER),
        created_at=row.created_at,
        updated_at=row.updated_at,
        first_name=row.first_name,
        last_name=row.last_name,
        metadata=row.metadata,
    )


class SqlUsers:
    """`store.base.Users` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, user_id: str) -> User | None:
        row = self._connection.execute(select(*_columns).where(_user.c.id == user_id, _living)).first()
        return None if row is None else _read(row)

    def get_with_password(self, email: str) -> tuple[User, str | None] | None:
        row = self._connection.execute(_BY_EMAIL, {"email": email}).first()
        return None if row is None else (_read(row), row.password_hash)

    def list(self) -> Sequence[User]:
        query = select(*_columns).where(_living).order_by(_user.c.created_at, _user.c.id)
        return [_read(row) for row in self._connection.execute(query)]

    def add(self, user: User, password_hash: str | None) -> None:
        values = {
            "id": user.id,
            "email": user.email,
            "role": user.role.value,
            "created_at": user.created_at,
            "updated_at": user.updated_at,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "metadata": None if user.metadata is None else dict(user.metadata),
            "password_hash": password_hash,
        }
        try:
            self._connection.execute(insert(_user).values(values))
        except IntegrityError:
            raise DuplicateError(f"User with email {user.email} already exists.") from None

    def set_password_hash(self, user_id: str, password_hash: str, updated_at: datetime | None = None) -> None:
        values: dict[str, Any] = {"password_hash": password_hash}
        if updated_at is not None:
            values["updated_at"] = updated_at
        self._connection.execute(update(_user).where(_user.c.id == user_id, _living).values(values))

    def delete(self, user_id: str, now: datetime) -> bool:
        marked = update(_user).where(_user.c.id == user_id, _living).values(deleted_at=now, updated_at=now)
        return self._connection.execute(marked).rowcount == 1
