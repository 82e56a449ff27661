"""Administrators in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from medusa_auth.errors import DuplicateError
from medusa_auth.model import Role, TimeRange, User, UserQuery
from medusa_auth.store.sql import tables
from medusa_auth.store.sql.padding import padded

__all__ = ["SqlUsers", "living", "read_user", "user_columns"]

_user = tables.user
living = _user.c.deleted_at.is_(None)
user_columns = (
    _user.c.id,
    _user.c.email,
    _user.c.role,
    _user.c.created_at,
    _user.c.updated_at,
    _user.c.first_name,
    _user.c.last_name,
    _user.c.metadata,
    _user.c.deleted_at,
)
_SEARCHED = ("email", "first_name", "last_name")

# Built once: every login asks the first two, and checks with Medusa's API tokens the last.
_WITH_PASSWORD = select(*user_columns, _user.c.password_hash).where(living)
_BY_EMAIL = _WITH_PASSWORD.where(_user.c.email == bindparam("email"))
_BY_EMAILS = _WITH_PASSWORD.where(_user.c.email.in_(bindparam("emails", expanding=True)))
_BY_ID = select(*user_columns).where(_user.c.id == bindparam("user_id"), living)
_BY_READABLE_TOKENS = select(_user.c.api_token, *user_columns).where(
    _user.c.api_token.in_(bindparam("tokens", expanding=True)), living
)


def read_user(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        id=row.id,
        email=row.email,
        # A role may be null in Medusa's table; it means what a row without one means there.
        role=Role(row.role or Role.MEMBER),
        created_at=row.created_at,
        updated_at=row.updated_at,
        first_name=row.first_name,
        last_name=row.last_name,
        # Medusa's column takes any JSON; what is no object there could not be shown.
        metadata=row.metadata if isinstance(row.metadata, dict) else None,
        deleted_at=row.deleted_at,
    )


def _conditions(query: UserQuery) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [] if query.deleted_at else [living]
    if query.ids is not None:
        found.append(_user.c.id.in_(query.ids))
    if query.text:
        found.append(or_(*(_user.c[name].icontains(query.text, autoescape=True) for name in _SEARCHED)))
    for name in ("email", "first_name", "last_name", "role"):
        value = getattr(query, name)
        if value is not None:
            found.append(_user.c[name] == value)
    for name in ("created_at", "updated_at", "deleted_at"):
        found += _within(_user.c[name], getattr(query, name) or TimeRange())
    return found


def _within(column: Column[Any], times: TimeRange) -> Sequence[ColumnElement[bool]]:
    compare = {"gt": column.__gt__, "gte": column.__ge__, "lt": column.__lt__, "lte": column.__le__}
    moments = {name: getattr(times, name) for name in compare}
    return [compare[name](moment) for name, moment in moments.items() if moment is not None]


class SqlUsers:
    """`store.base.Users` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, user_id: str) -> User | None:
        if "\0" in user_id:
            # No id has it, and PostgreSQL does not even compare with it.
            return None
        row = self._connection.execute(_BY_ID, {"user_id": user_id}).first()
        return None if row is None else read_user(row)

    def get_with_password(self, email: str) -> tuple[User, str | None] | None:
        if "\0" in email:
            return None
        row = self._connection.execute(_BY_EMAIL, {"email": email}).first()
        return None if row is None else (read_user(row), row.password_hash)

    def find_with_passwords(self, emails: Sequence[str]) -> Mapping[str, tuple[User, str | None]]:
        possible = [email for email in emails if "\0" not in email]
        rows = self._connection.execute(_BY_EMAILS, {"emails": padded(possible)})
        return {row.email: (read_user(row), row.password_hash) for row in rows}

    def get_password_hash(self, user_id: str) -> str | None:
        query = select(_user.c.password_hash).where(_user.c.id == user_id, living)
        return self._connection.execute(query).scalar()

    def find_by_readable_tokens(self, tokens: Sequence[str]) -> Mapping[str, User]:
        possible = [token for token in tokens if "\0" not in token]
        rows = self._connection.execute(_BY_READABLE_TOKENS, {"tokens": padded(possible)}).all()
        times = Counter(row.api_token for row in rows)
        return {row.api_token: read_user(row) for row in rows if times[row.api_token] == 1}

    def get_readable_token(self, user_id: str) -> str | None:
        query = select(_user.c.api_token).where(_user.c.id == user_id, living)
        return self._connection.execute(query).scalar()

    def list_readable_tokens(self) -> Sequence[tuple[User, str]]:
        query = select(*user_columns, _user.c.api_token).where(living, _user.c.api_token.is_not(None))
        rows = self._connection.execute(query.order_by(_user.c.created_at, _user.c.id))
        return [(read_user(row), row.api_token) for row in rows]

    def set_readable_token(self, user_id: str, token: str | None) -> None:
        self._connection.execute(update(_user).where(_user.c.id == user_id, living).values(api_token=token))

    def exist(self) -> bool:
        return self._connection.execute(select(_user.c.id).where(living).limit(1)).first() is not None

    def list(self) -> Sequence[User]:
        query = select(*user_columns).where(living).order_by(_user.c.created_at, _user.c.id)
        return [read_user(row) for row in self._connection.execute(query)]

    def search(self, query: UserQuery) -> tuple[Sequence[User], int]:
        conditions = _conditions(query)
        count = self._connection.execute(select(func.count()).select_from(_user).where(*conditions)).scalar_one()
        order = _user.c[query.order_by]
        # Where a value is missing the databases differ; Medusa's is PostgreSQL.
        ordered = (
            (order.desc().nulls_first(), _user.c.id.desc())
            if query.descending
            else (order.asc().nulls_last(), _user.c.id)
        )
        # SQLite has no OFFSET without a LIMIT.
        rows = (
            select(*user_columns).where(*conditions).order_by(*ordered).limit(query.limit or count).offset(query.offset)
        )
        return [read_user(row) for row in self._connection.execute(rows)], count

    def count_admins(self) -> int:
        # On SQLite writers take turns; where they do not, the rows are held until the commit.
        admins = select(_user.c.id).where(living, _user.c.role == Role.ADMIN.value).with_for_update()
        return len(self._connection.execute(admins).all())

    def admin_emails(self) -> Sequence[str]:
        admins = select(_user.c.email).where(living, _user.c.role == Role.ADMIN.value)
        return self._connection.execute(admins.order_by(_user.c.created_at)).scalars().all()

    def add(self, user: User, password_hash: str | None) -> None:
        values = asdict(user) | {"role": user.role.value, "password_hash": password_hash}
        try:
            self._connection.execute(insert(_user).values(values))
        except IntegrityError:
            raise DuplicateError(f"User with email {user.email} already exists.") from None

    def update(self, user: User) -> None:
        values = {
            "role": user.role.value,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "metadata": None if user.metadata is None else dict(user.metadata),
            "updated_at": user.updated_at,
        }
        self._connection.execute(update(_user).where(_user.c.id == user.id, living).values(values))

    def set_password_hash(self, user_id: str, password_hash: str, updated_at: datetime | None = None) -> None:
        values: dict[str, Any] = {"password_hash": password_hash}
        if updated_at is not None:
            values["updated_at"] = updated_at
        self._connection.execute(update(_user).where(_user.c.id == user_id, living).values(values))

    def delete(self, user_id: str, now: datetime) -> bool:
        marked = update(_user).where(_user.c.id == user_id, living).values(deleted_at=now, updated_at=now)
        return self._connection.execute(marked).rowcount == 1
