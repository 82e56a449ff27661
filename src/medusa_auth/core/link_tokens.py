"""The tokens in links that go out by mail: JWTs that a browser can read, each good once and for one purpose.

Medusa's dashboard reads the address in them. What makes one good is the record of its `jti`, of which only the hash is
kept: the record says until when, and its removal is the token's end.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from medusa_auth.core.ids import Random, secret_hash
from medusa_auth.core.jwts import Jwts
from medusa_auth.errors import AuthenticationError

__all__ = ["LinkTokens", "keys_for"]

# 128 bits: ASVS 5.0, V7.2.3.
TOKEN_ID_BYTES = 16


def keys_for(purpose: str, secrets: Sequence[str]) -> Sequence[bytes]:
    """Keys of one purpose's own, made from `secrets`: no other token is ever taken for one of its."""
    label = f"medusa-auth link token: {purpose}".encode()
    return [hmac.digest(secret.encode(), label, "sha256") for secret in secrets]


class LinkTokens:
    """The tokens of one purpose. Signs with the first of `keys`, verifies with all."""

    def __init__(self, keys: Sequence[bytes], random: Random = os.urandom) -> None:
        self._random = random
        self.use_keys(keys)

    def use_keys(self, keys: Sequence[bytes]) -> None:
        """From now on these; what only another one signed is over."""
        self._jwts = Jwts(keys)

    def issue(self, claims: Mapping[str, Any], now: datetime, expires_at: datetime) -> tuple[str, str]:
        """A token with `claims`, and the hash of its `jti`, to be kept."""
        token_id = base64.urlsafe_b64encode(self._random(TOKEN_ID_BYTES)).rstrip(b"=").decode()
        times = {"iat": int(now.timestamp()), "exp": int(expires_at.timestamp())}
        return self._jwts.sign({**claims, **times, "jti": token_id}), secret_hash(token_id)

    def read(self, token: str, *, foreign: bool = False) -> str:
        """What `token` is known by, if it was issued here for this purpose: the SHA-256 of its `jti`, in hex.

        Whether it is still good is for the record of that name to say. `foreign`: it may be another program's, without
        `jti`, which is known by itself. Raises AuthenticationError.
        """
        claims = self._jwts.signed_claims(token)
        token_id = claims.get("jti")
        if foreign and "jti" not in claims:
            return token
        if not isinstance(token_id, str) or not token_id:
            raise AuthenticationError
        return secret_hash(token_id)
