"""What a user may give for a login, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from medusa_auth.errors import InvalidRequestError
from medusa_auth.wire import AdminPostAuthReq

__all__ = ["Payload", "read_payload"]

Payload = AdminPostAuthReq | Mapping[str, Any]


def read_payload(payload: Payload | None, email: str | None, password: str | None) -> AdminPostAuthReq:
    """The login that `payload` or the two keywords hold. No message shows what was given: it may be a password.

    Raises TypeError for both or neither of them, InvalidRequestError (as the server would) for what is in them.
    """
    fields = _fields(payload, email, password)
    problems = list(_problems(fields))
    if problems:
        # From here and not from the server: `body` is empty.
        raise InvalidRequestError(", ".join(problems))
    return AdminPostAuthReq(email=fields["email"], password=fields["password"])


def _fields(payload: Payload | None, email: str | None, password: str | None) -> Mapping[str, Any]:
    if payload is None:
        if email is None and password is None:
            raise TypeError("a login needs a payload, or email= and password=")
        return {"email": email, "password": password}
    if email is not None or password is not None:
        raise TypeError("a login takes a payload, or email= and password=, not both")
    if isinstance(payload, AdminPostAuthReq):
        return {"email": payload.email, "password": payload.password}
    if not isinstance(payload, Mapping):
        raise TypeError(f"a payload is a dict or an AdminPostAuthReq, not {type(payload).__name__}")
    return payload


def _problems(fields: Mapping[str, Any]) -> Iterator[str]:
    """Medusa's messages, in its order; but an extra property is not named, for it could be anything."""
    email, password = fields.get("email"), fields.get("password")
    if set(fields) - {"email", "password"}:
        yield "a property other than email and password should not exist"
    if email is None or email == "":
        yield "email should not be empty"
    if not _is_text(email) or email == "":
        yield "email must be an email"
    if password is None or password == "":
        yield "password should not be empty"
    if not _is_text(password):
        yield "password must be a string"


def _is_text(value: object) -> bool:
    """A string that UTF-8 can write: half a surrogate pair cannot be sent."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
