"""What a user may give for a request, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, TypeVar

import msgspec
from msgspec import Struct

from medusa_auth import wire
from medusa_auth.errors import InvalidRequestError
from medusa_auth.wire import AdminPostAuthReq, RoleName

__all__ = [
    "AcceptKeywords",
    "CreateUserKeywords",
    "Fields",
    "InviteKeywords",
    "PasswordTokenKeywords",
    "Payload",
    "ResetPasswordKeywords",
    "UpdateUserKeywords",
    "is_text",
    "read_body",
    "read_payload",
]

StructT = TypeVar("StructT", bound=Struct)

Fields = Mapping[str, Any]
Payload = AdminPostAuthReq | Fields


class CreateUserKeywords(TypedDict, total=False):
    """AdminCreateUserRequest, as keywords."""

    email: str
    password: str
    first_name: str | None
    last_name: str | None
    role: RoleName | None


class UpdateUserKeywords(TypedDict, total=False):
    """AdminUpdateUserRequest, as keywords."""

    first_name: str | None
    last_name: str | None
    role: RoleName | None
    api_token: str | None
    metadata: dict[str, Any] | None


class PasswordTokenKeywords(TypedDict, total=False):
    """AdminResetPasswordTokenRequest, as keywords."""

    email: str


class ResetPasswordKeywords(TypedDict, total=False):
    """AdminResetPasswordRequest, as keywords."""

    email: str | None
    token: str
    password: str


class InviteKeywords(TypedDict, total=False):
    """AdminPostInvitesReq, as keywords."""

    user: str
    role: RoleName


class AcceptKeywords(TypedDict, total=False):
    """AdminPostInvitesInviteAcceptReq, as keywords."""

    token: str
    user: wire.AdminPostInvitesInviteAcceptUserReq | Fields


def read_payload(payload: Payload | None, email: str | None, password: str | None) -> AdminPostAuthReq:
    """The login that `payload` or the two keywords hold. No message shows what was given: it may be a password.

    Raises TypeError for both or neither of them, InvalidRequestError (as the server would) for what is in them.
    """
    keywords = {name: value for name, value in (("email", email), ("password", password)) if value is not None}
    given = _given(AdminPostAuthReq, payload, keywords)
    fields = given if isinstance(given, Mapping) else msgspec.structs.asdict(given)
    problems = list(_problems(fields))
    if problems:
        # From here and not from the server: `body` is empty.
        raise InvalidRequestError(", ".join(problems))
    return AdminPostAuthReq(email=fields["email"], password=fields["password"])


def read_body(
    shape: type[StructT], payload: StructT | Fields | None, keywords: Mapping[str, object]
) -> StructT | dict[str, Any]:
    """What is sent for `payload` or `keywords`. A dict is sent as it is: what its values may be is for the server.

    Raises TypeError for both or neither of them, for keywords that `shape` has not or that it lacks, and for what JSON
    has not; InvalidRequestError for a text that cannot be sent. No message shows what was given.
    """
    given = _given(shape, payload, keywords)
    body = shape(**given) if given is keywords else given
    _check(body)
    return dict(body) if isinstance(body, Mapping) else body


def _given(
    shape: type[StructT], payload: StructT | Fields | None, keywords: Mapping[str, object]
) -> StructT | Mapping[str, Any]:
    *others, last = (f"{name}=" for name in shape.__struct_fields__)
    ways = f"a payload, or {' and '.join(filter(None, (', '.join(others), last)))}"
    if payload is None:
        if not keywords:
            raise TypeError(f"this needs {ways}")
        return keywords
    if keywords:
        raise TypeError(f"this takes {ways}, not both")
    if not isinstance(payload, shape | Mapping):
        raise TypeError(f"a payload is a dict or an {shape.__name__}, not {type(payload).__name__}")
    return payload


def _problems(fields: Fields) -> Iterator[str]:
    """Medusa's messages, in its order; but an extra property is not named, for it could be anything."""
    email, password = fields.get("email"), fields.get("password")
    if set(fields) - {"email", "password"}:
        yield "a property other than email and password should not exist"
    if email is None or email == "":
        yield "email should not be empty"
    if not is_text(email) or email == "":
        yield "email must be an email"
    if password is None or password == "":
        yield "password should not be empty"
    if not is_text(password):
        yield "password must be a string"


def _check(value: object) -> None:
    """Refuses what JSON cannot say, at any depth. Bytes too: they would be sent as Base64, which no password is."""
    if isinstance(value, Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("the names in a payload are text: a dict with str keys")
        _check([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for part in value:
            _check(part)
    elif isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"a payload holds text, not {type(value).__name__}")
    elif isinstance(value, str) and not is_text(value):
        raise InvalidRequestError("a text in the payload cannot be sent: it holds half a surrogate pair")


def is_text(value: object) -> bool:
    """A string that UTF-8 can write: half a surrogate pair cannot be sent."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
