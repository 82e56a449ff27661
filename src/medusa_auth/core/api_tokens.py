"""API tokens: issue, find, revoke. They live until they expire or are revoked, and only their SHA-256 is kept."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from medusa_auth.core.ids import Random, new_id, secret_hash
from medusa_auth.core.sessions import TOUCH_EVERY
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import ApiToken, User
from medusa_auth.store.base import Transaction

__all__ = ["API_TOKEN_PREFIX", "ApiTokens"]

# Says what was found, to people and to scanners of leaked secrets.
API_TOKEN_PREFIX = "mat_"  # noqa: S105 - a name
SECRET_BYTES = 32
# What the one of Medusa's update endpoint is called, a user's only one of that name.
CHOSEN_NAME = "api_token"
# Of the ids of those that can be read, which have no record.
_READABLE_PREFIX = "tok_readable_"
NEVER = datetime.max.replace(tzinfo=UTC)


class ApiTokens:
    """The rules of API tokens, over a transaction of the caller's.

    `readable`: a program beside this one knows one token of each user, which it has to be able to read. That one is
    kept as it is, with its user, and counts for as long as it stands there.
    """

    def __init__(self, random: Random = os.urandom, *, readable: bool = False) -> None:
        self._random = random
        self._readable = readable

    def issue(
        self, tx: Transaction, user: User, name: str, now: datetime, life: timedelta | None = None
    ) -> tuple[str, ApiToken]:
        """A new token of `user`, shown now and never again, and its record. `life` None: until it is revoked."""
        secret = base64.urlsafe_b64encode(self._random(SECRET_BYTES)).rstrip(b"=").decode()
        token = API_TOKEN_PREFIX + secret
        if self._readable and life is None and tx.users.get_readable_token(user.id) is None:
            tx.users.set_readable_token(user.id, token)
            return token, _readable_record(user, token)
        record = ApiToken(
            id=new_id("tok", now, self._random),
            user_id=user.id,
            name=name,
            created_at=now,
            expires_at=None if life is None else now + life,
        )
        tx.api_tokens.add(record, secret_hash(token))
        return token, record

    def check_chosen(self, token: str) -> None:
        """Raises InvalidRequestError if it is none that a header can carry."""
        if not token.isprintable():
            raise InvalidRequestError("api_token must not have control characters or halves of characters")

    def set_chosen(self, tx: Transaction, user: User, token: str, now: datetime) -> None:
        """`token`, which somebody chose (Medusa's `api_token`), in the place of the last one; empty for none.

        Raises InvalidRequestError if it is a token of somebody's already, or none that a header can carry.
        """
        self.check_chosen(token)
        tx.api_tokens.delete_named(user.id, CHOSEN_NAME)
        tx.announce(user.id, now)
        if self._readable:
            tx.users.set_readable_token(user.id, None)
        if not token:
            return
        if self._is_taken(tx, token):
            raise InvalidRequestError("api_token cannot be this one: choose another")
        if self._readable:
            tx.users.set_readable_token(user.id, token)
            return
        record = ApiToken(id=new_id("tok", now, self._random), user_id=user.id, name=CHOSEN_NAME, created_at=now)
        tx.api_tokens.add(record, secret_hash(token))

    def find_with_users(self, tx: Transaction, tokens: Sequence[str]) -> Mapping[str, tuple[ApiToken, User]]:
        """By the token, the records of those that were not revoked, each with its user; `has_expired` tells more."""
        hashes = {token: secret_hash(token) for token in tokens}
        by_hash = tx.api_tokens.find_with_users([*hashes.values()])
        found = {token: by_hash[token_hash] for token, token_hash in hashes.items() if token_hash in by_hash}
        unknown = [token for token in tokens if token not in found] if self._readable else []
        if unknown:
            readable = tx.users.find_by_readable_tokens(unknown)
            found |= {token: (_readable_record(user, token), user) for token, user in readable.items()}
        return found

    def has_expired(self, record: ApiToken, now: datetime) -> bool:
        """Whether its end is now or was before; one without an end never has."""
        return record.expires_at is not None and now >= record.expires_at

    def due_at(self, record: ApiToken) -> datetime:
        """From when on the last use has to be written again."""
        if record.id.startswith(_READABLE_PREFIX):
            return NEVER
        return record.created_at if record.last_used_at is None else record.last_used_at + TOUCH_EVERY

    def is_good(self, tx: Transaction, token_id: str, user_id: str) -> bool:
        """Whether the user still has the token of that id."""
        if token_id.startswith(_READABLE_PREFIX):
            token = tx.users.get_readable_token(user_id)
            return token is not None and _readable_id(token) == token_id
        return tx.api_tokens.get(token_id) is not None

    def list(self, tx: Transaction) -> Sequence[ApiToken]:
        """All, those that can be read last."""
        readable = tx.users.list_readable_tokens() if self._readable else ()
        return [*tx.api_tokens.list(), *(_readable_record(user, token) for user, token in readable)]

    def revoke(self, tx: Transaction, token_id: str, now: datetime) -> bool:
        """End it everywhere. False if there is none of that id."""
        user_id = tx.api_tokens.delete(token_id) or self._revoke_readable(tx, token_id)
        if user_id is not None:
            tx.announce(user_id, now)
        return user_id is not None

    def _revoke_readable(self, tx: Transaction, token_id: str) -> str | None:
        for user, token in tx.users.list_readable_tokens() if self._readable else ():
            if _readable_id(token) == token_id:
                tx.users.set_readable_token(user.id, None)
                return user.id
        return None

    def _is_taken(self, tx: Transaction, token: str) -> bool:
        return tx.api_tokens.get_by_hash(secret_hash(token)) is not None or (
            self._readable and any(token == taken for _, taken in tx.users.list_readable_tokens())
        )


def _readable_record(user: User, token: str) -> ApiToken:
    return ApiToken(_readable_id(token), user.id, CHOSEN_NAME, created_at=user.updated_at)


def _readable_id(token: str) -> str:
    return _READABLE_PREFIX + secret_hash(token)[:24]
