"""Sessions as Medusa v1 keeps them in Redis: the JSON of the npm package express-session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from medusa_auth.store.base import ForeignSession, Others

__all__ = ["ExpressSessions"]

USER = "user_id"
COOKIE = "cookie"
MILLISECOND = timedelta(milliseconds=1)
# 100 years of milliseconds: more is not meant.
MAX_LIFE = 100 * 365 * 86_400_000
# Those in which one may have been used: with others no time could be reckoned.
YEARS = range(1970, 9000)
# Medusa's ids have 30 characters.
MAX_ID = 255


class ExpressSessions:
    """Writes and reads them. `life` is Medusa's `session_options.ttl`; `secure` and `same_site` are the cookie's.

    Medusa itself sends the cookie again when it changes what is in the session, and then with what is written here.
    """

    def __init__(self, life: timedelta, *, secure: bool, same_site: str) -> None:
        self._life = life
        self._secure = secure
        self._same_site = same_site

    def encode(self, user_id: str | None, others: Others, expires_at: datetime) -> bytes:
        """`user_id` None: a session of nobody's."""
        cookie = {
            "originalMaxAge": self._life // MILLISECOND,
            "expires": f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{expires_at.microsecond // 1000:03d}Z",
            "secure": self._secure,
            "httpOnly": True,
            "path": "/",
            "sameSite": self._same_site,
        }
        return msgspec.json.encode({COOKIE: cookie, **others, **({USER: user_id} if user_id else {})})

    def decode(self, text: bytes) -> ForeignSession | None:
        """None for what Medusa would not take for a session."""
        try:
            values = msgspec.json.decode(text, type=dict[str, Any])
            cookie = msgspec.convert(values.pop(COOKIE, None), _Cookie)
            # Written anew with every request: when it was, is what it says of its end, less its life.
            seen_at = cookie.expires.astimezone(UTC) - self._life_of(cookie)
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
            return None
        if seen_at.year not in YEARS:
            return None
        user_id = values.pop(USER, None)
        return ForeignSession(user_id if _is_id(user_id) else None, seen_at, values)

    def _life_of(self, cookie: _Cookie) -> timedelta:
        has_one = 0 <= cookie.originalMaxAge < MAX_LIFE
        return timedelta(milliseconds=cookie.originalMaxAge) if has_one else self._life


def _is_id(value: object) -> bool:
    """Whether somebody may have it: PostgreSQL has no text with NUL."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and "\0" not in value


class _Cookie(msgspec.Struct):
    originalMaxAge: float  # noqa: N815 - express-session's name
    expires: Annotated[datetime, msgspec.Meta(tz=True)]
