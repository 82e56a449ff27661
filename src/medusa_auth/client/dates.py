"""Dates as HTTP servers write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

__all__ = ["parse_date"]

_DELIMITERS = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARTS = {
    "time": re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])"),
    "day": re.compile(r"([0-9]{1,2})(?![0-9])"),
    "month": re.compile("|".join(_MONTHS), re.ASCII | re.IGNORECASE),
    "year": re.compile(r"([0-9]{2,4})(?![0-9])"),
}

_FIRST_YEAR = 1601  # RFC 6265 section 5.1.1 step 5
_FIRST_WHOLE_YEAR = 100  # a year below has two digits only
_TURN_OF_CENTURY = 70  # 70 to 99 are 1970 to 1999, 0 to 69 are 2000 to 2069: RFC 6265 section 5.1.1 steps 3 and 4


def parse_date(text: str) -> float | None:
    """The moment that `text` names, in seconds since 1970; None when it names none.

    Reads by RFC 6265 section 5.1.1, which takes every form in use. Every date is in GMT, whatever zone it names.
    """
    found = _parts(token for token in _DELIMITERS.split(text) if token)
    if len(found) < len(_PARTS):
        return None
    year, month = _year(int(found["year"][1])), _MONTHS.index(found["month"][0].lower()) + 1
    hour, minute, second = (int(digits) for digits in found["time"].groups())
    if year < _FIRST_YEAR:
        return None
    try:
        return datetime(year, month, int(found["day"][1]), hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _parts(tokens: Iterable[str]) -> dict[str, re.Match[str]]:
    """Each token is the first of time, day, month and year that is not found yet and that it looks like."""
    found: dict[str, re.Match[str]] = {}
    for token in tokens:
        for name, pattern in _PARTS.items():
            if name not in found and (match := pattern.match(token)):
                found[name] = match
                break
    return found


def _year(number: int) -> int:
    if number >= _FIRST_WHOLE_YEAR:
        return number
    return number + (1900 if number >= _TURN_OF_CENTURY else 2000)
