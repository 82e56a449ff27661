"""API tokens: issue, find, revoke. They live until they expire or are revoked, and only their SHA-256 is kept."""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta

from medusa_auth.core.ids import Random, new_id, secret_hash
from medusa_auth.errors import AuthenticationError, InvalidRequestError
from medusa_auth.model import ApiToken, User
from medusa_auth.store.base import Transaction

__all__ = ["API_TOKEN_PREFIX", "ApiTokens"]

# Says what was found, to people and to scanners of leaked secrets.
API_TOKEN_PREFIX = "mat_"  # noqa: S105 - a name
SECRET_BYTES = 32
# What the one of Medusa's update endpoint is called, a user's only one of that name.
CHOSEN_NAME = "api_token"
# How precisely the last use is known.
TOUCH_EVERY = timedelta(minutes=1)


class ApiTokens:
    """The rules of API tokens, over a transaction of the caller's."""

    def __init__(self, random: Random = os.urandom) -> None:
        self._random = random

    def issue(
        self, tx: Transaction, user: User, name: str, now: datetime, life: timedelta | None = None
    ) -> tuple[str, ApiToken]:
        """A new token of `user`, shown now and never again, and its record. `life` None: until it is revoked."""
        secret = base64.urlsafe_b64encode(self._random(SECRET_BYTES)).rstrip(b"=").decode()
        token = API_TOKEN_PREFIX + secret
        record = ApiToken(
            id=new_id("tok", now, self._random),
            user_id=user.id,
            name=name,
            created_at=now,
            expires_at=None if life is None else now + life,
        )
        tx.api_tokens.add(record, secret_hash(token))
        return token, record

    def set_chosen(self, tx: Transaction, user: User, token: str, now: datetime) -> None:
        """`token`, which somebody chose (Medusa's `api_token`), in the place of the last one; empty for none.

        Raises InvalidRequestError if it is a token of somebody's already.
        """
        tx.api_tokens.delete_named(user.id, CHOSEN_NAME)
        tx.announce(user.id, now)
        if not token:
            return
        if tx.api_tokens.get_by_hash(secret_hash(token)) is not None:
            raise InvalidRequestError("api_token cannot be this one: choose another")
        record = ApiToken(id=new_id("tok", now, self._random), user_id=user.id, name=CHOSEN_NAME, created_at=now)
        tx.api_tokens.add(record, secret_hash(token))

    def find(self, tx: Transaction, token: str, now: datetime) -> ApiToken:
        """The living record of `token`. Raises AuthenticationError if it never was, was revoked, or has expired."""
        record = tx.api_tokens.get_by_hash(secret_hash(token))
        if record is None or (record.expires_at is not None and now >= record.expires_at):
            raise AuthenticationError
        return record

    def is_due(self, record: ApiToken, now: datetime) -> bool:
        """Whether the last use has to be written again."""
        return record.last_used_at is None or now >= record.last_used_at + TOUCH_EVERY

    def revoke(self, tx: Transaction, token_id: str, now: datetime) -> bool:
        """End it everywhere. False if there is none of that id."""
        user_id = tx.api_tokens.delete(token_id)
        if user_id is not None:
            tx.announce(user_id, now)
        return user_id is not None
