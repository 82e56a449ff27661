"""Administrators: create, give a password, delete."""

from __future__ import annotations

import os
import unicodedata
from datetime import datetime

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.ids import Random, new_id
from medusa_auth.errors import NotFoundError
from medusa_auth.model import Role, User
from medusa_auth.store.base import Transaction

__all__ = ["Users", "normalized_email"]


def normalized_email(email: str) -> str:
    """The form in which an address is kept and compared: NFC, lower case (Medusa compares in lower case)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).lower())


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

    def set_password(self, tx: Transaction, user: User, password_hash: str, now: datetime) -> None:
        """A new password ends the user's sessions and access tokens, everywhere and at once; API tokens stay."""
        tx.users.set_password_hash(user.id, password_hash, now)
        tx.sessions.delete_of_user(user.id)
        self._access_tokens.revoke_of_user(tx, user.id, now)

    def delete(self, tx: Transaction, user: User, now: datetime) -> None:
        """The row stays, as Medusa's, marked; sessions, access tokens and API tokens end everywhere and at once."""
        if not tx.users.delete(user.id, now):
            raise NotFoundError(f"User with id: {user.id} was not found")
        tx.sessions.delete_of_user(user.id)
        tx.api_tokens.delete_of_user(user.id)
        self._access_tokens.revoke_of_user(tx, user.id, now)
