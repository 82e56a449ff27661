"""Administrators: create, change, give a password, delete."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.ids import Random, new_id
from medusa_auth.errors import ForbiddenError, InvalidRequestError, NotFoundError
from medusa_auth.model import Role, User
from medusa_auth.store.base import Transaction

__all__ = ["UserChanges", "Users", "normalized_email"]

# As much as a request can hold; it is merged, so that without a bound it could grow for ever.
MAX_METADATA_BYTES = 100 * 1024


def normalized_email(email: str) -> str:
    """The form in which an address is kept and compared: lower case, as Medusa's, and NFKC.

    So letters that look or count as the same (full width, composed or not) make no second account.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).lower())


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What is UNSET stays. `metadata` is merged with what there is, and an empty text in it takes a key away."""

    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    role: Role | UnsetType = UNSET
    metadata: Mapping[str, Any] | UnsetType = UNSET


class Users:
    """The rules of administrators, over a transaction of the caller's. Passwords arrive as hashes."""

    def __init__(self, access_tokens: AccessTokens, random: Random = os.urandom) -> None:
        self._access_tokens = access_tokens
        self._random = random

    def create(
        self,
        tx: Transaction,
        *,
        email: str,
        password_hash: str | None,
        now: datetime,
        role: Role = Role.MEMBER,
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> User:
        """The new user. Raises DuplicateError if the address is taken."""
        user = User(
            id=new_id("usr", now, self._random),
            email=normalized_email(email),
            role=role,
            created_at=now,
            updated_at=now,
            first_name=first_name,
            last_name=last_name,
        )
        tx.users.add(user, password_hash)
        return user

    def find(self, tx: Transaction, email: str) -> User:
        """The user of that address, in whatever case. Raises NotFoundError."""
        found = tx.users.get_with_password(normalized_email(email))
        if found is None:
            raise NotFoundError(f"User with email: {email} was not found")
        return found[0]

    def get(self, tx: Transaction, user_id: str) -> User:
        """The user of that id. Raises NotFoundError."""
        user = tx.users.get(user_id)
        if user is None:
            raise NotFoundError(f"User with id: {user_id} was not found")
        return user

    def update(self, tx: Transaction, user: User, changes: UserChanges, now: datetime) -> User:
        """The changed user, whom everybody sees so at once; the same one if there is nothing to change.

        Raises InvalidRequestError if the metadata would grow out of bounds.
        """
        changed = replace(
            user,
            first_name=_or(changes.first_name, user.first_name),
            last_name=_or(changes.last_name, user.last_name),
            role=_or(changes.role, user.role),
            metadata=user.metadata if changes.metadata is UNSET else _merged(user.metadata, changes.metadata),
        )
        return user if changed == user else self.touch(tx, changed, now)

    def touch(self, tx: Transaction, user: User, now: datetime) -> User:
        """`user`, kept as it is given, and changed now."""
        changed = replace(user, updated_at=now)
        tx.users.update(changed)
        tx.announce(user.id, now)
        return changed

    def set_password(self, tx: Transaction, user: User, password_hash: str, now: datetime) -> None:
        """A new password ends the user's resets, sessions and access tokens, at once everywhere; API tokens stay."""
        # First, for the store may do it by itself when it sees another password, and then it is done.
        self._access_tokens.revoke_of_user(tx, user.id, now)
        tx.users.set_password_hash(user.id, password_hash, now)
        tx.password_resets.delete_of_user(user.id)
        tx.sessions.delete_of_user(user.id)

    def delete(self, tx: Transaction, user: User, now: datetime) -> None:
        """The row stays, as Medusa's, marked; sessions, access tokens and API tokens end everywhere and at once."""
        if not tx.users.delete(user.id, now):
            raise NotFoundError(f"User with id: {user.id} was not found")
        self._access_tokens.revoke_of_user(tx, user.id, now)
        tx.password_resets.delete_of_user(user.id)
        tx.sessions.delete_of_user(user.id)
        tx.api_tokens.delete_of_user(user.id)

    def check_not_last_admin(self, tx: Transaction, user: User) -> None:
        """Raises ForbiddenError if without `user` nobody could manage the others."""
        if user.role is Role.ADMIN and tx.users.count_admins() <= 1:
            raise ForbiddenError("This is the last admin: make somebody else admin first.")


def _or(change: Any, present: Any) -> Any:
    return present if change is UNSET else change


def _merged(present: Mapping[str, Any] | None, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    merged = {**(present or {}), **changes}
    merged = {key: value for key, value in merged.items() if key not in changes or value != ""}
    if len(msgspec.json.encode(merged)) > MAX_METADATA_BYTES:
        raise InvalidRequestError(f"metadata would have more than {MAX_METADATA_BYTES // 1024} KiB")
    return merged
