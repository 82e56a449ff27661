"""Access tokens: JWTs that are signed and verified with HS256 (RFC 7515, RFC 7519, RFC 7518 section 3.2).

Which claim names the user and which claims say what a token is for belongs to the dialect and arrives as an argument;
in Medusa v1 these are `user_id` and `{"domain": "admin"}`.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from medusa_auth.core.clocks import CLOCK_LEEWAY, KEPT_AFTER_END
from medusa_auth.core.ids import Random
from medusa_auth.core.jwts import Jwts, moment
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import User
from medusa_auth.store.base import Transaction

__all__ = ["AccessToken", "AccessTokens", "Claims"]

TOKEN_ID_BYTES = 16
# The claim of ours that says what ended all of the user's tokens last, before this one was issued.
EPOCH = "epoch"


@dataclass(frozen=True, slots=True)
class Claims:
    """The dialect: the claim that holds the user's id, and the claims that say what a token is for."""

    subject: str
    purpose: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified token says. `id` is its `jti`; where it has none, as Medusa's, the hash of what was signed.

    What ends all of a user's tokens ends those of an earlier `epoch`: the moment at which the user's were ended last
    before this one was issued. So no two machines' clocks are compared. A token that does not say it, as Medusa's, has
    the moment at which it was issued.
    """

    id: str
    user_id: str
    epoch: datetime | None
    expires_at: datetime


class AccessTokens:
    """Signs with the first key and verifies with all, so that a key can be replaced without logging anyone out."""

    def __init__(self, keys: Sequence[str], claims: Claims, life: timedelta, random: Random = os.urandom) -> None:
        self.use_keys(keys)
        self._claims = claims
        self._life = life
        self._random = random

    def use_keys(self, keys: Sequence[str]) -> None:
        """From now on these; what only another one signed is over."""
        self._jwts = Jwts([key.encode() for key in keys])

    def issue(self, tx: Transaction, user: User, now: datetime) -> str:
        """A token for `user`, good for `life` from `now` on."""
        issued_at, not_before = math.floor(now.timestamp()), tx.access_tokens.not_before(user.id)
        claims = {
            self._claims.subject: user.id,
            **self._claims.purpose,
            "iat": issued_at,
            "exp": issued_at + int(self._life.total_seconds()),
            "jti": base64.urlsafe_b64encode(self._random(TOKEN_ID_BYTES)).rstrip(b"=").decode(),
            EPOCH: math.ceil(not_before.timestamp()) if not_before else 0,
        }
        return self._jwts.sign(claims)

    def verify(self, token: str, now: datetime) -> AccessToken:
        """What `token` says, if one of the keys signed it, it is an access token, and this is its time.

        Raises AuthenticationError. Whether it was revoked is the store's to say: `find_users`.
        """
        claims = self._jwts.signed_claims(token)
        user_id, expires_at = claims.get(self._claims.subject), moment(claims, "exp")
        issued_at, not_before = moment(claims, "iat"), moment(claims, "nbf")
        if (
            not isinstance(user_id, str)
            or not user_id
            or any(claims.get(name) != value for name, value in self._claims.purpose.items())
            or expires_at is None
            or now >= expires_at
            or (issued_at is not None and issued_at > now + CLOCK_LEEWAY)
            or (not_before is not None and not_before > now + CLOCK_LEEWAY)
        ):
            raise AuthenticationError
        token_id = _token_id(token, claims)
        if not (user_id.isprintable() and token_id.isprintable()):
            # With NUL or half a character in it a database would not even compare.
            raise AuthenticationError
        return AccessToken(token_id, user_id, moment(claims, EPOCH) or issued_at, expires_at)

    def find_users(self, tx: Transaction, tokens: Sequence[AccessToken]) -> Mapping[AccessToken, User]:
        """Whose these are, without those whose users are no more, and those that a logout or the like has ended."""
        states = tx.access_tokens.find_users({(token.user_id, token.id) for token in tokens})
        return {
            token: state.user
            for token in tokens
            if (state := states.get((token.user_id, token.id)))
            and not state.is_revoked
            and not _is_before(token.epoch, state.not_before)
        }

    def is_good(self, tx: Transaction, token_id: str, user_id: str, epoch: datetime | None) -> bool:
        """Whether neither it nor all of its user's have ended since it was verified."""
        return not tx.access_tokens.is_revoked(token_id) and not _is_before(epoch, tx.access_tokens.not_before(user_id))

    def revoke(self, tx: Transaction, token: AccessToken, now: datetime) -> None:
        """End this one everywhere."""
        tx.access_tokens.delete_expired(now - KEPT_AFTER_END)
        tx.access_tokens.revoke(token.id, token.user_id, token.expires_at)
        tx.announce(token.user_id, now)

    def revoke_of_user(self, tx: Transaction, user_id: str, now: datetime) -> None:
        """End all that were issued to the user before. `now` is to be read inside the transaction."""
        not_before = datetime.fromtimestamp(math.floor(now.timestamp()) + 1, UTC)
        stands = tx.access_tokens.not_before(user_id)
        if stands is not None:
            # Later than before: what was issued since is of that epoch, and a clock may be set back.
            not_before = max(not_before, stands + timedelta(seconds=1))
        tx.access_tokens.set_not_before(user_id, not_before)
        tx.announce(user_id, now)


def _is_before(epoch: datetime | None, not_before: datetime | None) -> bool:
    return not_before is not None and (epoch is None or epoch < not_before)


def _token_id(token: str, claims: Mapping[str, Any]) -> str:
    token_id = claims.get("jti")
    if isinstance(token_id, str) and token_id:
        return token_id
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
