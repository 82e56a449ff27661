"""The things this package is about. Times are aware datetimes in UTC; nothing here holds a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "ApiToken",
    "Context",
    "Identity",
    "Invite",
    "Mail",
    "MailKind",
    "Method",
    "PasswordReset",
    "Role",
    "Session",
    "TimeRange",
    "User",
    "UserQuery",
]


class Role(StrEnum):
    """Medusa's roles (the enum `user_role_enum` of its database)."""

    ADMIN = "admin"
    MEMBER = "member"
    DEVELOPER = "developer"


class Method(StrEnum):
    """How a request proves who it comes from."""

    SESSION = "session"
    ACCESS_TOKEN = "access_token"  # noqa: S105 - a name
    API_TOKEN = "api_token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class User:
    """An administrator. `id` is `usr_` and a ULID; `email` is lower case."""

    id: str
    email: str
    role: Role
    created_at: datetime
    updated_at: datetime
    first_name: str | None = None
    last_name: str | None = None
    metadata: Mapping[str, Any] | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From and to, each with its moment or without it; None is open."""

    gt: datetime | None = None
    gte: datetime | None = None
    lt: datetime | None = None
    lte: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Which users, and in what order. None asks for nothing; `limit` 0 is all; `text` is in the email or a name.

    With a range of `deleted_at` deleted users are looked at too.
    """

    ids: Sequence[str] | None = None
    text: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    role: Role | None = None
    created_at: TimeRange | None = None
    updated_at: TimeRange | None = None
    deleted_at: TimeRange | None = None
    order_by: str = "created_at"
    descending: bool = True
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """An open reset. `id_hash` is the SHA-256 of its token's `jti`, `password_digest` that of the hash it replaces."""

    id_hash: str
    user_id: str
    password_digest: str
    expires_at: datetime


class MailKind(StrEnum):
    """What a mail tells."""

    INVITE = "invite"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    NEW_ADMINISTRATOR = "new_administrator"


@dataclass(frozen=True, slots=True)
class Mail:
    """An entry of the outbox. `about` is the id of a user or an invite, or empty; `attempts` counts this one too."""

    id: int
    kind: MailKind
    recipient: str
    about: str
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Invite:
    """An open invite. `id` is `invite_` and a ULID; `user_email` is lower case; the token in its link is not kept."""

    id: str
    user_email: str
    role: Role
    created_at: datetime
    updated_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """The server's record behind a cookie. `id_hash` is the SHA-256 of its id, in hex: the id itself is not kept."""

    id_hash: str
    user_id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    client: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A long-lived token of a user. `id` is `tok_` and a ULID; the token itself is not kept."""

    id: str
    user_id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Identity:
    """Who a credential turned out to be. Each is the outcome of one proof, and equal to itself alone.

    `credential_id` names the credential without being it: a session's `id_hash`, an access token's `jti`, an API
    token's `id`.
    `factors` are those that the credential was won with, such as `("password",)`. `epoch` is an access token's.
    """

    user: User
    method: Method
    credential_id: str
    factors: tuple[str, ...] = ()
    epoch: datetime | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Where a request comes from: the client's address and its user agent, for the records that an operator reads."""

    client: str | None = None
    user_agent: str | None = None
