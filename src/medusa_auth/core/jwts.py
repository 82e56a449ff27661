"""JWTs signed and verified with HS256, and nothing else (RFC 7515, RFC 7519, RFC 7518 section 3.2)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OctKey

from medusa_auth.errors import AuthenticationError

__all__ = ["ALGORITHM", "MAX_TOKEN_LENGTH", "Jwts", "moment"]

ALGORITHM = "HS256"
# A token of ours has 260 characters; what is much longer is not worth a hash over it.
MAX_TOKEN_LENGTH = 4096


class Jwts:
    """Signs with the first key and verifies with all, so that a key can be replaced while tokens are out."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [_key(key) for key in keys]

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The token, in three parts."""
        header = {"alg": ALGORITHM, "typ": "JWT"}
        return jws.serialize_compact(header, msgspec.json.encode(claims), self._keys[0], algorithms=[ALGORITHM])

    def signed_claims(self, token: str) -> dict[str, Any]:
        """What `token` says, if one of the keys signed it, whenever that was. Raises AuthenticationError."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise AuthenticationError
        for key in self._keys:
            try:
                signed = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
                return msgspec.json.decode(signed.payload, type=dict[str, Any])
            except (JoseError, msgspec.DecodeError, TypeError, ValueError, RecursionError):
                continue
        raise AuthenticationError


def moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A NumericDate (RFC 7519, section 2); None where it is absent. Raises AuthenticationError on anything else."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AuthenticationError
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise AuthenticationError from None


def _key(secret: bytes) -> OctKey:
    # Which secrets are long enough is a matter of the settings, which refuse short ones with a sentence.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return OctKey.import_key(secret)
