"""The query of a list of users, read as Medusa's `qs` and class-validator read it. Whatever is not known is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from medusa_auth.core.users import normalized_email
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import Role, TimeRange, UserQuery

__all__ = ["USER_PARAMETERS", "UserListing", "picked", "read_user_listing"]

# In the order in which Medusa answers them.
USER_FIELDS = (
    "id",
    "created_at",
    "updated_at",
    "deleted_at",
    "role",
    "email",
    "first_name",
    "last_name",
    "api_token",
    "metadata",
)
# Whatever is asked for, Medusa adds these.
_ALWAYS = frozenset({"id", "created_at"})
_SORTABLE = frozenset(USER_FIELDS) - {"api_token", "metadata"}
_TIMES = ("created_at", "updated_at", "deleted_at")
_TEXTS = ("q", "order", "fields", "expand", "email", "first_name", "last_name")
# 32 bits, which every store can count with.
MAX_NUMBER = 2**31 - 1

USER_PARAMETERS = {
    "q": "A text that is in the email or a name, in any case.",
    "limit": "How many at most; 0 is all. Default: 50.",
    "offset": "How many to leave out first. Default: 0.",
    "order": "A field to sort by, with `-` before it for the last first. Default: `-created_at`.",
    "fields": f"Which fields to answer, with commas: {', '.join(USER_FIELDS)}. `id` and `created_at` always come.",
    "id": "An id, or several as `id[]`.",
    "email": "Exactly this email, in any case.",
    "first_name": "Exactly this first name.",
    "last_name": "Exactly this last name.",
    "role": "`admin`, `member` or `developer`.",
    "created_at": "Times as `created_at[gt]`, `[gte]`, `[lt]`, `[lte]`.",
    "updated_at": "As `created_at`.",
    "deleted_at": "As `created_at`; then deleted users are answered too.",
}

Values = dict[str, list[tuple[str, str]]]
"""Of each parameter what is in its brackets, and the value, as often as it was sent."""


class UserListing:
    """What to ask the store for, and which fields to answer; None: all."""

    def __init__(self, query: UserQuery, fields: frozenset[str] | None) -> None:
        self.query = query
        self.fields = fields


def read_user_listing(query_string: bytes) -> UserListing:
    """What `query_string` asks for. Raises InvalidRequestError."""
    values = _parsed(query_string)
    unknown = [name for name in values if name not in {*_TEXTS, *_TIMES, "id", "role", "limit", "offset"}]
    if unknown:
        raise InvalidRequestError(", ".join(f"property {name} should not exist" for name in unknown))
    texts = {name: _text(values, name) for name in _TEXTS}
    if texts["expand"]:
        raise InvalidRequestError("expand has nothing to add to a user")
    order = texts["order"] or "-created_at"
    query = UserQuery(
        ids=_ids(values),
        text=texts["q"],
        email=None if texts["email"] is None else normalized_email(texts["email"]),
        first_name=texts["first_name"],
        last_name=texts["last_name"],
        role=_role(values),
        order_by=_known("order", order.removeprefix("-"), _SORTABLE),
        descending=order.startswith("-"),
        limit=_number(values, "limit", 50),
        offset=_number(values, "offset", 0),
        **{name: _times(values, name) for name in _TIMES},
    )
    return UserListing(query, _fields(texts["fields"]))


def _parsed(query_string: bytes) -> Values:
    values: Values = {}
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError:
        raise InvalidRequestError("The query is not valid.") from None
    for key, value in pairs:
        name, bracket, inner = key.partition("[")
        if "\0" in value:
            raise InvalidRequestError(f"{name} must be a text")
        values.setdefault(name, []).append((inner.removesuffix("]") if bracket else "", value))
    return values


def _text(values: Values, name: str) -> str | None:
    match values.get(name):
        case None:
            return None
        case [("", value)]:
            return value
    raise InvalidRequestError(f"{name} must be a string")


def _number(values: Values, name: str, default: int) -> int:
    match values.get(name):
        case None:
            return default
        case [("", value)] if re.fullmatch("[0-9]{1,10}", value, re.ASCII) and int(value) <= MAX_NUMBER:
            return int(value)
    raise InvalidRequestError(f"{name} must be a number conforming to the specified constraints")


def _ids(values: Values) -> list[str] | None:
    sent = values.get("id")
    if sent is None:
        return None
    if any(re.fullmatch("[0-9]*", inner) is None for inner, _ in sent):
        raise InvalidRequestError("id must be one of the types: String, [String]")
    return [value for _, value in sent]


def _role(values: Values) -> Role | None:
    sent = values.get("role")
    if sent is None:
        return None
    if len(sent) > 1 or sent[0][1] not in list(Role):
        raise InvalidRequestError(f"each value in role must be one of the following values: {', '.join(Role)}")
    return Role(sent[0][1])


def _times(values: Values, name: str) -> TimeRange | None:
    sent = values.get(name)
    if sent is None:
        return None
    limits: dict[str, Any] = {}
    for inner, value in sent:
        if not inner:
            raise InvalidRequestError(f"nested property {name} must be either object or array")
        if inner not in {"gt", "gte", "lt", "lte"}:
            raise InvalidRequestError(f"property {inner} should not exist")
        limits[inner] = _moment(inner, value)
    return TimeRange(**limits)


def _moment(name: str, value: str) -> datetime:
    """An ISO 8601 date or time; without a zone it is UTC's."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequestError(f"{name} must be a Date instance") from None


def _fields(text: str | None) -> frozenset[str] | None:
    if not text:
        return None
    return _ALWAYS | {_known("fields", name, frozenset(USER_FIELDS)) for name in text.split(",")}


def _known(name: str, value: str, known: frozenset[str]) -> str:
    if value not in known:
        allowed = ", ".join(field for field in USER_FIELDS if field in known)
        raise InvalidRequestError(f"{name} must be of the following values: {allowed}")
    return value


def picked(user: Mapping[str, Any], fields: frozenset[str] | None) -> Mapping[str, Any]:
    """Of a user as it goes over the wire, what was asked for."""
    return user if fields is None else {name: user[name] for name in USER_FIELDS if name in fields}
