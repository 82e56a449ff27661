"""Whoever asks, looked at once more within the transaction that does what they ask for."""

from __future__ import annotations

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Identity, Method, User
from medusa_auth.store.base import Transaction

__all__ = ["Actors"]


class Actors:
    """Those who ask. Since their request was let in, their credential may have ended, and they may have changed."""

    def __init__(self, access_tokens: AccessTokens, api_tokens: ApiTokens) -> None:
        self._access_tokens = access_tokens
        self._api_tokens = api_tokens

    def get(self, tx: Transaction, identity: Identity) -> User:
        """Who asks, as they are now.

        Raises AuthenticationError if they are no more, or if what they asked with has ended since.
        """
        actor = tx.users.get(identity.user.id)
        if actor is None or not self._is_still_good(tx, identity):
            raise AuthenticationError
        return actor

    def _is_still_good(self, tx: Transaction, identity: Identity) -> bool:
        credential_id, user_id = identity.credential_id, identity.user.id
        if identity.method is Method.SESSION:
            return tx.sessions.get(credential_id) is not None
        if identity.method is Method.API_TOKEN:
            return self._api_tokens.is_good(tx, credential_id, user_id)
        return self._access_tokens.is_good(tx, credential_id, user_id, identity.epoch)
