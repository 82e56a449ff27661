"""Medusa v1's JSON shapes. The server writes them, the client reads them; the names are Medusa's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from medusa_auth import model

__all__ = [
    "API_TOKEN_HEADER",
    "COOKIE_NAME",
    "PUBLISHABLE_API_KEY_HEADER",
    "AdminAuthRes",
    "AdminBearerAuthRes",
    "AdminCreateUserRequest",
    "AdminDeleteUserRes",
    "AdminInviteDeleteRes",
    "AdminListInvitesRes",
    "AdminPostAuthReq",
    "AdminPostInvitesInviteAcceptReq",
    "AdminPostInvitesInviteAcceptUserReq",
    "AdminPostInvitesReq",
    "AdminResetPasswordRequest",
    "AdminResetPasswordTokenRequest",
    "AdminUpdateUserRequest",
    "AdminUserRes",
    "AdminUsersListRes",
    "Answer",
    "ErrorRes",
    "Invite",
    "Response",
    "RoleName",
    "User",
    "timestamp",
]

RoleName = Literal["admin", "member", "developer"]

COOKIE_NAME = "connect.sid"
API_TOKEN_HEADER = "x-medusa-access-token"  # noqa: S105 - a name
PUBLISHABLE_API_KEY_HEADER = "x-publishable-api-key"


def timestamp(moment: datetime) -> str:
    """`moment` as Medusa writes it: UTC, milliseconds, `2026-11-24T01:53:13.446Z`; finer digits are cut off."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class Response(Struct, frozen=True):
    """What was received beside the body. `headers` has lower-case names; of a repeated header the last is kept."""

    status: int
    headers: dict[str, str]


class Answer(Struct, dict=True):
    """A body that was received; `response` says how. Has no field of its own, like the answer to a logout."""

    @property
    def response(self) -> Response:
        """Status and headers of the answer.

        Raises AttributeError on a body that was not received but made.
        """
        try:
            return self.__dict__["response"]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError("this body was not received from a server") from None

    @response.setter
    def response(self, response: Response) -> None:
        self.__dict__["response"] = response


class AdminPostAuthReq(Struct):
    """The body of a login and of a request for an access token."""

    email: Annotated[str, Meta(description="The administrator's email, in any case.", examples=["admin@example.com"])]
    password: Annotated[str, Meta(description="The password, exactly as it was set.", min_length=1)]

    def __repr__(self) -> str:
        return f"AdminPostAuthReq(email={self.email!r}, password=...)"


class User(Struct, omit_defaults=False):
    """An administrator as Medusa answers it, keys in Medusa's order. Times are ISO 8601 in UTC with milliseconds."""

    id: Annotated[str, Meta(description="`usr_` and a ULID.")]
    created_at: str
    updated_at: str
    deleted_at: str | None
    role: str | None
    email: str
    first_name: str | None
    last_name: str | None
    api_token: Annotated[
        str | None, Meta(description="Always null from this server: a token is shown once, when made.")
    ] = None
    metadata: dict[str, Any] | None = None

    def __repr__(self) -> str:
        # A Medusa that is not this server answers the token itself.
        return f"User(id={self.id!r}, email={self.email!r}, role={self.role!r}, ...)"

    @classmethod
    def of(cls, user: model.User) -> User:
        """`user` as it goes over the wire. `api_token` is always null: a token is shown once, when it is made."""
        return cls(
            id=user.id,
            created_at=timestamp(user.created_at),
            updated_at=timestamp(user.updated_at),
            deleted_at=None if user.deleted_at is None else timestamp(user.deleted_at),
            role=user.role.value,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            metadata=None if user.metadata is None else dict(user.metadata),
        )


class AdminAuthRes(Answer):
    """The answer to a login and to a check."""

    user: User


class AdminBearerAuthRes(Answer):
    """The answer to a request for an access token."""

    access_token: Annotated[str, Meta(description="A JWT, for `Authorization: Bearer`.")]

    def __repr__(self) -> str:
        return "AdminBearerAuthRes(access_token=...)"


class AdminUserRes(Answer):
    """The answer to a look at a user, and to a change of one."""

    user: User


class AdminUsersListRes(Answer):
    """Some users, newest first unless asked otherwise. `count` is how many there are without `limit` and `offset`."""

    users: list[User]
    count: int
    offset: int
    limit: int


class AdminDeleteUserRes(Answer):
    """The answer to the deletion of a user."""

    id: str
    object: str
    deleted: bool


class AdminCreateUserRequest(Struct):
    """The body that makes a user."""

    email: Annotated[str, Meta(description="Kept in lower case.", examples=["member@example.com"])]
    password: str
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    role: Annotated[RoleName | UnsetType | None, Meta(description="`member` where it is left out.")] = UNSET

    def __repr__(self) -> str:
        return f"AdminCreateUserRequest(email={self.email!r}, password=..., role={self.role!r})"


class AdminUpdateUserRequest(Struct):
    """The body that changes a user: what is left out stays as it is."""

    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    role: RoleName | UnsetType | None = UNSET
    api_token: Annotated[
        str | UnsetType | None,
        Meta(description="A token for `x-medusa-access-token` from now on; null takes it away. Never shown again."),
    ] = UNSET
    metadata: Annotated[
        dict[str, Any] | UnsetType | None,
        Meta(description="Is merged with what there is; an empty text takes a key away."),
    ] = UNSET

    def __repr__(self) -> str:
        return f"AdminUpdateUserRequest(first_name={self.first_name!r}, last_name={self.last_name!r}, ...)"


class AdminResetPasswordTokenRequest(Struct):
    """The body that asks for a mail with a link to set a new password."""

    email: str


class AdminResetPasswordRequest(Struct):
    """The body that sets a new password."""

    token: Annotated[str, Meta(description="From the link in the mail. Good once.")]
    password: str
    email: Annotated[str | UnsetType | None, Meta(description="If it is sent, it has to be the token's.")] = UNSET

    def __repr__(self) -> str:
        return "AdminResetPasswordRequest(token=..., password=...)"


class Invite(Struct):
    """An invite as Medusa answers it, keys in Medusa's order."""

    id: Annotated[str, Meta(description="`invite_` and a ULID.")]
    created_at: str
    updated_at: str
    deleted_at: str | None
    user_email: str
    role: str | None
    accepted: bool
    token: Annotated[str | None, Meta(description="Always null from this server: it is in the mail, and kept nowhere.")]
    expires_at: str
    metadata: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Invite(id={self.id!r}, user_email={self.user_email!r}, role={self.role!r}, ...)"

    @classmethod
    def of(cls, invite: model.Invite) -> Invite:
        """`invite` as it goes over the wire."""
        return cls(
            id=invite.id,
            created_at=timestamp(invite.created_at),
            updated_at=timestamp(invite.updated_at),
            deleted_at=None,
            user_email=invite.user_email,
            role=invite.role.value,
            accepted=False,
            token=None,
            expires_at=timestamp(invite.expires_at),
        )


class AdminListInvitesRes(Answer):
    """All open invites, oldest first."""

    invites: list[Invite]


class AdminInviteDeleteRes(Answer):
    """The answer to the withdrawal of an invite."""

    id: str
    object: str
    deleted: bool


class AdminPostInvitesReq(Struct):
    """The body that invites somebody, or invites them again."""

    user: Annotated[str, Meta(description="The email.", examples=["new@example.com"])]
    role: RoleName


class AdminPostInvitesInviteAcceptUserReq(Struct):
    """Who accepts an invite. Email and role are the invite's."""

    password: str
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "AdminPostInvitesInviteAcceptUserReq(password=...)"


class AdminPostInvitesInviteAcceptReq(Struct):
    """The body that accepts an invite."""

    token: Annotated[str, Meta(description="From the link in the mail. Good once.", min_length=1)]
    user: AdminPostInvitesInviteAcceptUserReq

    def __repr__(self) -> str:
        return "AdminPostInvitesInviteAcceptReq(token=..., user=...)"


class ErrorRes(Struct, omit_defaults=True):
    """An error, in the order that Medusa writes its keys. `code` is absent where Medusa has none."""

    type: str
    message: str
    code: str | None = None

    def encode(self) -> bytes:
        """Medusa puts `code` first where there is one."""
        message = self.message.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if self.code is None:
            return msgspec.json.encode({"type": self.type, "message": message})
        return msgspec.json.encode({"code": self.code, "type": self.type, "message": message})
