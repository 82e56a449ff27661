"""Whether a body is what Medusa asks for, in the words of the npm package class-validator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from email_validator import EmailNotValidError, validate_email
from msgspec import UNSET, UnsetType

from medusa_auth.core.users import normalized_email
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import Role
from medusa_auth.server.emails import is_email
from medusa_auth.wire import (
    AdminCreateUserRequest,
    AdminPostAuthReq,
    AdminPostInvitesInviteAcceptReq,
    AdminPostInvitesInviteAcceptUserReq,
    AdminPostInvitesReq,
    AdminResetPasswordRequest,
    AdminResetPasswordTokenRequest,
    AdminUpdateUserRequest,
)

__all__ = [
    "given",
    "is_new_email",
    "read_admin_create_user_request",
    "read_admin_post_auth_req",
    "read_admin_post_invites_invite_accept_req",
    "read_admin_post_invites_req",
    "read_admin_reset_password_request",
    "read_admin_reset_password_token_request",
    "read_admin_update_user_request",
]

# class-validator looks each key up in an object of JavaScript's, which inherits these, and takes them for known.
_INHERITED_KEYS = frozenset(
    {
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "toString",
        "valueOf",
        "toLocaleString",
    }
)
MAX_NAME_LENGTH = 255
MAX_DEPTH = 100
# What a store keeps and msgspec writes.
MAX_INT = 2**63 - 1

Check = Callable[[str, Any], Iterator[str]]
"""What is wrong with the value of a property of that name, in sentences; `UNSET` is a property that is missing."""


def read_admin_post_auth_req(body: Any) -> AdminPostAuthReq:
    """The email and the password in `body`. Each of these raises InvalidRequestError with Medusa's message."""
    return AdminPostAuthReq(**_read(body, {"email": _all(_not_empty, _email), "password": _all(_not_empty, _string)}))


def read_admin_create_user_request(body: Any) -> AdminCreateUserRequest:
    names = {"first_name": _optional(_text), "last_name": _optional(_text)}
    checks = {"email": _new_email, **names, "role": _optional(_role), "password": _string}
    return AdminCreateUserRequest(**_read(body, checks))


def read_admin_update_user_request(body: Any) -> AdminUpdateUserRequest:
    texts = {"first_name": _optional(_text), "last_name": _optional(_text)}
    rest = {"role": _optional(_role), "api_token": _optional(_string), "metadata": _optional(_metadata)}
    return AdminUpdateUserRequest(**_read(body, {**texts, **rest}))


def read_admin_reset_password_token_request(body: Any) -> AdminResetPasswordTokenRequest:
    return AdminResetPasswordTokenRequest(**_read(body, {"email": _email}))


def read_admin_reset_password_request(body: Any) -> AdminResetPasswordRequest:
    return AdminResetPasswordRequest(**_read(body, {"email": _optional(_email), "token": _string, "password": _string}))


def read_admin_post_invites_req(body: Any) -> AdminPostInvitesReq:
    return AdminPostInvitesReq(**_read(body, {"user": _new_email, "role": _role}))


def read_admin_post_invites_invite_accept_req(body: Any) -> AdminPostInvitesInviteAcceptReq:
    """What is wrong within `user` is told with the rest, as class-validator tells it."""
    names = {"first_name": _optional(_text), "last_name": _optional(_text)}
    within = {**names, "password": _string}
    fields = _read(body, {"token": _all(_not_empty, _string), "user": _all(_not_empty, _nested(within))})
    user = AdminPostInvitesInviteAcceptUserReq(**_picked(fields["user"], within))
    return AdminPostInvitesInviteAcceptReq(fields["token"], user)


def given(value: Any | UnsetType) -> Any:
    """`value`, or None where the body did not have it."""
    return None if value is UNSET else value


def is_new_email(value: Any) -> bool:
    """Whether a mail can be sent to `value`: so for Medusa, and so by the RFCs; whether it exists is not asked.

    It is kept in its normal form, in which a letter may have become an `@` or a comma: that has to be an address too.
    """
    return is_email(value) and all(_is_deliverable(form) for form in (value, normalized_email(value)))


def _is_deliverable(address: str) -> bool:
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return is_email(address)


def _read(body: Any, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The properties of `body` that are in `checks`, if nothing is wrong with any."""
    if not isinstance(body, dict):
        raise InvalidRequestError("an unknown value was passed to the validate function")
    problems = list(_problems(body, checks))
    if problems:
        raise InvalidRequestError(", ".join(problems))
    return _picked(body, checks)


def _problems(body: Mapping[str, Any], checks: Mapping[str, Check]) -> Iterator[str]:
    for key in body:
        if key not in checks.keys() | _INHERITED_KEYS:
            yield f"property {key} should not exist"
    for name, check in checks.items():
        yield from check(name, body.get(name, UNSET))


def _picked(body: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    return {name: body[name] for name in checks if name in body}


def _all(*checks: Check) -> Check:
    return lambda name, value: (problem for check in checks for problem in check(name, value))


def _optional(check: Check) -> Check:
    return lambda name, value: iter(()) if value is UNSET or value is None else check(name, value)


def _not_empty(name: str, value: Any) -> Iterator[str]:
    if value is UNSET or value is None or value == "":
        yield f"{name} should not be empty"


def _string(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{name} must be a string"


def _email(name: str, value: Any) -> Iterator[str]:
    if not is_email(value):
        yield f"{name} must be an email"


def _new_email(name: str, value: Any) -> Iterator[str]:
    if not is_new_email(value):
        yield f"{name} must be an email"


def _role(name: str, value: Any) -> Iterator[str]:
    if value not in list(Role):
        yield f"{name} must be one of the following values: {', '.join(Role)}"


def _nested(checks: Mapping[str, Check]) -> Check:
    def check(name: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from _problems(value, checks)
        elif value is not UNSET:
            yield f"nested property {name} must be either object or array"

    return check


def _text(name: str, value: Any) -> Iterator[str]:
    """A string that every store can keep: no NUL, and no half of a surrogate pair."""
    if not isinstance(value, str):
        yield f"{name} must be a string"
    elif not _is_storable(value):
        yield f"{name} must be a text"
    elif len(value) > MAX_NAME_LENGTH:
        # Every list of users carries it.
        yield f"{name} must be shorter than or equal to {MAX_NAME_LENGTH} characters"


def _metadata(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{name} must be an object"
        return
    level = [value]
    for _ in range(MAX_DEPTH):
        if not all(_is_storable(item) for item in level):
            yield f"{name} must hold texts, and numbers that are not too large"
            return
        level = [part for item in level for part in _parts(item)]
        if not level:
            return
    yield f"{name} must not be deeper than {MAX_DEPTH} levels"


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _is_storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= MAX_INT
