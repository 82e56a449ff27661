"""The session cookie, as express-session writes and reads it: `connect.sid=s%3A<id>.<signature>`.

The signature is the HMAC-SHA256 of the id in base64 without padding, as the npm package `cookie-signature` makes it.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, unquote_to_bytes

from medusa_auth.settings import SameSite
from medusa_auth.wire import COOKIE_NAME

__all__ = ["SessionCookie", "sign", "unsign"]

_SIGNED = "s:"
_PLAIN = re.compile(r"s%3A[A-Za-z0-9_-]+\.(?:[A-Za-z0-9]|%2B|%2F)+")
_EPOCH = datetime.fromtimestamp(0, UTC)


def sign(value: str, key: bytes) -> str:
    """`value`, a dot, and its signature with `key`."""
    digest = hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256")
    return f"{value}.{base64.b64encode(digest).decode().rstrip('=')}"


def unsign(signed: str, keys: Sequence[bytes]) -> str | None:
    """What was signed with one of `keys`; None if none of them signed it. Compares in constant time."""
    value, dot, _ = signed.rpartition(".")
    given = signed.encode("utf-8", "surrogatepass")
    for key in keys:
        if dot and hmac.compare_digest(sign(value, key).encode("utf-8", "surrogatepass"), given):
            return value
    return None


class SessionCookie:
    """Signs with the first key, verifies with all. With `same_site` `none`, Secure is always sent: browsers want it."""

    def __init__(self, keys: Sequence[str], same_site: SameSite) -> None:
        self.use_keys(keys)
        self.same_site = same_site

    def use_keys(self, keys: Sequence[str]) -> None:
        """From now on these; what only another one signed is over."""
        self._keys = [key.encode() for key in keys]

    def find(self, header: str) -> str | None:
        """The value of the session cookie in a Cookie header (RFC 6265, section 4.2): as Medusa, of many the first.

        However it was spelled (quoted, percent-encoded or not), it comes as `write` spells it, so that what is
        remembered by its value is remembered once.
        """
        for pair in header.split(";"):
            name, equals, value = pair.partition("=")
            if equals and name.strip() == COOKIE_NAME:
                value = value.strip()
                return value if _PLAIN.fullmatch(value) else quote(_decoded(value), safe="", errors="surrogatepass")
        return None

    def read(self, value: str) -> str | None:
        """The session id in a cookie's value; None if it was not signed here.

        As Medusa: the value may be quoted, and percent-encoded or not.
        """
        value = _decoded(value)
        return unsign(value[len(_SIGNED) :], self._keys) if value.startswith(_SIGNED) else None

    def write(self, session_id: str, expires_at: datetime, *, secure: bool) -> str:
        """A Set-Cookie header for a session that ends at `expires_at`."""
        return self._header(self._value(session_id), expires_at, secure=secure)

    def pair(self, session_id: str) -> str:
        """What a browser that has the session sends in its Cookie header."""
        return f"{COOKIE_NAME}={self._value(session_id)}"

    def clear(self, *, secure: bool) -> str:
        """A Set-Cookie header that makes a browser forget the session."""
        return self._header("", _EPOCH, secure=secure)

    def _value(self, session_id: str) -> str:
        return quote(_SIGNED + sign(session_id, self._keys[0]), safe="")

    def _header(self, value: str, expires_at: datetime, *, secure: bool) -> str:
        expires = format_datetime(expires_at.astimezone(UTC), usegmt=True)
        secure = secure or self.same_site == "none"
        return (
            f"{COOKIE_NAME}={value}; Path=/; Expires={expires}; HttpOnly"
            f"{'; Secure' if secure else ''}; SameSite={self.same_site.capitalize()}"
        )


def _decoded(value: str) -> str:
    """As the npm package `cookie`: quotes come off, then what is percent-encoded is decoded, unless it is malformed."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeError:
        return value
