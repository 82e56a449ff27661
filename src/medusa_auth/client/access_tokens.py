"""Access tokens as a client sees them: text to send back, and perhaps a JWT that says for how long it is good."""

from __future__ import annotations

from base64 import urlsafe_b64decode

import msgspec

from medusa_auth.client.replies import Reply
from medusa_auth.errors import UnexpectedAnswerError
from medusa_auth.wire import AdminBearerAuthRes

__all__ = ["bearer", "lifetime", "read_token"]

_LONGEST = 10.0**9  # seconds; a token that is good for 30 years needs no renewal


class _Claims(msgspec.Struct):
    exp: float
    iat: float | None = None


def read_token(reply: Reply) -> AdminBearerAuthRes:
    """The access token in `reply`, the answer to a login.

    Raises AnswerError when that failed, UnexpectedAnswerError when there is no token that a header could carry.
    """
    answer = reply.read(AdminBearerAuthRes)
    token = answer.access_token
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UnexpectedAnswerError("the access token that was answered cannot be sent in a header")
    return answer


def bearer(token: str) -> str:
    """The value of the Authorization header (RFC 6750 section 2.1)."""
    return f"Bearer {token}"


def lifetime(token: str, now: float) -> float | None:
    """For how many seconds a `token` that was issued `now` (in seconds since 1970) is good; None when it does not say.

    By the issuer's own clock (`exp` less `iat`) where it says when, so that a wrong clock here does no harm. The
    signature is not verified, for only the issuer can: a lie costs one request that is answered 401.
    """
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (IndexError, ValueError, RecursionError):
        return None
    issued = now if claims.iat is None else claims.iat
    return min(max(0.0, claims.exp - issued), _LONGEST)
