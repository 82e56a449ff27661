"""The header Set-Cookie, read as browsers read it: RFC 6265 section 5.2."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from medusa_auth.client.dates import parse_date

__all__ = ["SetCookie", "is_sendable", "parse_set_cookie"]

_WHITE = " \t"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r"[\t\x20-\x3a\x3c\x3e-\x7e\x80-\xff]+")
_VALUE = re.compile(r"[\t\x20-\x3a\x3c-\x7e\x80-\xff]*")
_DELTA = re.compile(r"(-?)([0-9]+)")

# RFC 6265bis (draft 22) section 5.6 for the first two, in octets, and section 5.5 for the third, in seconds.
_MAX_PAIR = 4096
_MAX_ATTRIBUTE = 1024
_MAX_LIFE = 400 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie header. `expires` is in seconds since 1970, None: with the session; `path` is None: the default.

    `domain` is lower case without its leading dot, None where there is none. The value does not show in the repr.
    """

    name: str
    value: str = field(repr=False)
    expires: float | None = None
    domain: str | None = None
    path: str | None = None
    secure: bool = False


def is_sendable(name: str, value: str) -> bool:
    """Whether the pair can stand in a Cookie header: each character is one octet (Latin-1), none is a control."""
    if len(name) + len(value) > _MAX_PAIR or any(part != part.strip(_WHITE) for part in (name, value)):
        return False
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value))


def parse_set_cookie(header: str, now: float) -> SetCookie | None:
    """What `header` says at `now` (seconds since 1970); None when it is to be ignored. Never raises.

    Control characters make it ignored (RFC 6265bis section 5.6 step 1), for they could not be sent back.
    """
    if _CONTROL.search(header):
        return None
    pair, *attributes = header.split(";")
    name, equals, value = (part.strip(_WHITE) for part in pair.partition("="))
    if not equals or not is_sendable(name, value):
        return None
    return _with_attributes(SetCookie(name, value), attributes, now)


def _with_attributes(cookie: SetCookie, attributes: list[str], now: float) -> SetCookie:
    """Of a repeated attribute the last counts; Max-Age counts before Expires (RFC 6265 section 5.3 step 3)."""
    expires = max_age = None
    for attribute in attributes:
        name, _, value = (part.strip(_WHITE) for part in attribute.partition("="))
        if len(value) > _MAX_ATTRIBUTE:
            continue
        match name.lower():
            case "expires":
                expires = _either(parse_date(value), expires)
            case "max-age":
                max_age = _either(_moment(value, now), max_age)
            case "domain":
                cookie = replace(cookie, domain=value.removeprefix(".").lower()) if value else cookie
            case "path":
                cookie = replace(cookie, path=value if value.startswith("/") else None)
            case "secure":
                cookie = replace(cookie, secure=True)
    moment = _either(max_age, expires)
    return cookie if moment is None else replace(cookie, expires=min(moment, now + _MAX_LIFE))


def _either(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


def _moment(max_age: str, now: float) -> float | None:
    """`max_age` seconds from `now`, the beginning of time where that is not later (RFC 6265 section 5.2.2)."""
    found = _DELTA.fullmatch(max_age)
    if not found:
        return None
    seconds = 0.0 if found[1] else float(found[2])
    return now + seconds if seconds > 0 else float("-inf")
