"""Administrators in memory."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from medusa_auth.errors import DuplicateError
from medusa_auth.model import Role, TimeRange, User, UserQuery
from medusa_auth.store.memory.tables import Draft, Table, values

__all__ = ["MemoryUsers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(User):
    password_hash: str | None
    readable_token: str | None = None


class MemoryUsers:
    """`store.base.Users` of one transaction."""

    def __init__(self, draft: Draft) -> None:
        self._users = Table[_Kept](draft, "user", "id", by=("email", "readable_token", "created_at"))

    def get(self, user_id: str) -> User | None:
        return next(map(_read, self._living("id", user_id)), None)

    def get_with_password(self, email: str) -> tuple[User, str | None] | None:
        return next(((_read(kept), kept.password_hash) for kept in self._living("email", email)), None)

    def find_with_passwords(self, emails: Sequence[str]) -> Mapping[str, tuple[User, str | None]]:
        return {email: found for email in emails if (found := self.get_with_password(email))}

    def get_password_hash(self, user_id: str) -> str | None:
        return next((kept.password_hash for kept in self._living("id", user_id)), None)

    def find_by_readable_tokens(self, tokens: Sequence[str]) -> Mapping[str, User]:
        found = {token: list(self._living("readable_token", token)) for token in tokens}
        return {token: _read(users[0]) for token, users in found.items() if len(users) == 1}

    def get_readable_token(self, user_id: str) -> str | None:
        return next((kept.readable_token for kept in self._living("id", user_id)), None)

    def list_readable_tokens(self) -> Sequence[tuple[User, str]]:
        living = self._living("created_at")
        return [(_read(kept), kept.readable_token) for kept in living if kept.readable_token is not None]

    def set_readable_token(self, user_id: str, token: str | None) -> None:
        self._change(user_id, readable_token=token)

    def exist(self) -> bool:
        return any(self._living("created_at"))

    def list(self) -> Sequence[User]:
        return list(map(_read, self._living("created_at")))

    def search(self, query: UserQuery) -> tuple[Sequence[User], int]:
        found = [kept for kept in self._users.where("id") if _is_asked_for(kept, query)]
        found.sort(key=lambda kept: _rank(kept, query.order_by), reverse=query.descending)
        page = found[query.offset :][: query.limit or None]
        return list(map(_read, page)), len(found)

    def count_admins(self) -> int:
        return len(self.admin_emails())

    def admin_emails(self) -> Sequence[str]:
        return [kept.email for kept in self._living("created_at") if kept.role is Role.ADMIN]

    def add(self, user: User, password_hash: str | None) -> None:
        if any(self._living("email", user.email)):
            raise DuplicateError(f"User with email {user.email} already exists.")
        kept = _Kept(**values(user, User), password_hash=password_hash)
        self._users.add(replace(kept, metadata=_copy(user.metadata)))

    def update(self, user: User) -> None:
        self._change(
            user.id,
            role=user.role,
            first_name=user.first_name,
            last_name=user.last_name,
            metadata=_copy(user.metadata),
            updated_at=user.updated_at,
        )

    def set_password_hash(self, user_id: str, password_hash: str, updated_at: datetime | None = None) -> None:
        self._change(user_id, password_hash=password_hash, **({"updated_at": updated_at} if updated_at else {}))

    def delete(self, user_id: str, now: datetime) -> bool:
        return self._change(user_id, deleted_at=now, updated_at=now)

    def _living(self, field: str, *value: str) -> Iterator[_Kept]:
        return (kept for kept in self._users.where(field, *value) if kept.deleted_at is None)

    def _change(self, user_id: str, **changed: Any) -> bool:
        for kept in self._living("id", user_id):
            self._users.put(replace(kept, **changed))
            return True
        return False


def _read(kept: _Kept) -> User:
    return replace(User(**values(kept, User)), metadata=_copy(kept.metadata))


def _copy(metadata: Mapping[str, Any] | None) -> Any:
    """As a database gives it back: whoever changes theirs changes nothing here."""
    return None if metadata is None else json.loads(json.dumps(dict(metadata)))


def _is_asked_for(user: User, query: UserQuery) -> bool:
    text = (query.text or "").lower()
    return (
        (query.deleted_at is not None or user.deleted_at is None)
        and (query.ids is None or user.id in query.ids)
        and any(text in (value or "").lower() for value in (user.email, user.first_name, user.last_name))
        and all(
            getattr(query, name) in (None, getattr(user, name)) for name in ("email", "first_name", "last_name", "role")
        )
        and _is_within(user.created_at, query.created_at)
        and _is_within(user.updated_at, query.updated_at)
        and _is_within(user.deleted_at, query.deleted_at)
    )


def _is_within(moment: datetime | None, times: TimeRange | None) -> bool:
    """A time that there is not is within a range that is open at both ends alone."""
    if times is None:
        return True
    limits = ((operator.gt, times.gt), (operator.ge, times.gte), (operator.lt, times.lt), (operator.le, times.lte))
    return all(moment is not None and compare(moment, limit) for compare, limit in limits if limit is not None)


def _rank(user: User, field: str) -> tuple[bool, Any, str]:
    """Who has no value comes after who has one, as in PostgreSQL."""
    value = getattr(user, field)
    return value is None, value, user.id
