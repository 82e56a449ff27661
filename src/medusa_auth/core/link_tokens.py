"""The tokens in links that go out by mail: JWTs that a browser can read, each good once and for one purpose.

Medusa's dashboard reads the address in them. What makes one good is the record of its `jti`, of which only the hash is
kept: the record says until when, and its removal is the token's end.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medusa_auth.core.ids import Random, secret_hash
from medusa_auth.core.jwts import Jwts
from medusa_auth.errors import AuthenticationError

__all__ = ["LinkToken", "LinkTokens"]

# 128 bits: ASVS 5.0, V7.2.3.
TOKEN_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class LinkToken:
    """`id_hash` is the SHA-256 of its `jti`, in hex."""

    id_hash: str
    claims: Mapping[str, Any]


class LinkTokens:
    """The tokens of one `purpose`. Its keys are its own, made from `secrets`: no other token is ever taken for one."""

    def __init__(self, purpose: str, secrets: Sequence[str], random: Random = os.urandom) -> None:
        self._label = f"medusa-auth link token: {purpose}".encode()
        self._random = random
        self.use_secrets(secrets)

    def use_secrets(self, secrets: Sequence[str]) -> None:
        """From now on these; what only another one signed is over."""
        self._jwts = Jwts([hmac.digest(secret.encode(), self._label, "sha256") for secret in secrets])

    def issue(self, claims: Mapping[str, Any], now: datetime, expires_at: datetime) -> tuple[str, str]:
        """A token with `claims`, and the hash of its `jti`, to be kept."""
        token_id = base64.urlsafe_b64encode(self._random(TOKEN_ID_BYTES)).rstrip(b"=").decode()
        times = {"iat": int(now.timestamp()), "exp": int(expires_at.timestamp())}
        return self._jwts.sign({**claims, **times, "jti": token_id}), secret_hash(token_id)

    def read(self, token: str) -> LinkToken:
        """What `token` says, if it was issued here for this purpose. Raises AuthenticationError.

        Whether it is still good is for the record of `id_hash` to say.
        """
        claims = self._jwts.signed_claims(token)
        token_id = claims.get("jti")
        if not isinstance(token_id, str) or not token_id:
            raise AuthenticationError
        return LinkToken(secret_hash(token_id), claims)
