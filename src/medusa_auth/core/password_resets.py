"""Password resets: a token by mail, good once and for a quarter of an hour, sets a new password."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from medusa_auth.core.ids import Random, secret_hash
from medusa_auth.core.link_tokens import LinkTokens, keys_for
from medusa_auth.core.users import Users, normalized_email
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import PasswordReset, User
from medusa_auth.store.base import Transaction

__all__ = ["RESET_LIFE", "PasswordResets"]

# Medusa's.
RESET_LIFE = timedelta(minutes=15)


class PasswordResets:
    """The rules of resets, over a transaction of the caller's."""

    def __init__(self, users: Users, secrets: Sequence[str], random: Random = os.urandom) -> None:
        self._users = users
        self._tokens = LinkTokens(_keys(secrets), random)

    def use_secrets(self, secrets: Sequence[str]) -> None:
        """From now on these; what only another one signed is over."""
        self._tokens.use_keys(_keys(secrets))

    def issue(self, tx: Transaction, user: User, now: datetime) -> str:
        """A token for a link. It ends with its use, its time, or the password that the user has now."""
        expires_at = now + RESET_LIFE
        token, id_hash = self._tokens.issue({"user_id": user.id, "email": user.email}, now, expires_at)
        tx.password_resets.delete_expired(now)
        tx.password_resets.add(PasswordReset(id_hash, user.id, _present_password(tx, user), expires_at))
        return token

    def check(self, tx: Transaction, token: str, email: str | None, now: datetime) -> User:
        """Whose password `token` may set. `email`, if any, has to be the user's.

        Raises AuthenticationError, the same for a token that is forged, used, or over.
        """
        reset = tx.password_resets.get(self._tokens.read(token))
        user = None if reset is None else tx.users.get(reset.user_id)
        if (
            reset is None
            or user is None
            or now >= reset.expires_at
            or reset.password_digest != _present_password(tx, user)
            or (email is not None and normalized_email(email) != user.email)
        ):
            raise AuthenticationError
        return user

    def use(self, tx: Transaction, token: str, email: str | None, password_hash: str, now: datetime) -> User:
        """The user, whose password is set: every reset of theirs, every session and access token ends.

        Raises as `check`.
        """
        user = self.check(tx, token, email, now)
        self._users.set_password(tx, user, password_hash, now)
        return user


def _present_password(tx: Transaction, user: User) -> str:
    return secret_hash(tx.users.get_password_hash(user.id) or "")


def _keys(secrets: Sequence[str]) -> Sequence[bytes]:
    return keys_for("password reset", secrets)
