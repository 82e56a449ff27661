"""Medusa's `AdminUsersResource`: the users, and the reset of a password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.core.clocks import Clock
from medusa_auth.core.team import NewUser, Team
from medusa_auth.core.users import UserChanges
from medusa_auth.errors import (
    AnswerError,
    AuthenticationError,
    DuplicateError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from medusa_auth.model import Role
from medusa_auth.server.bodies import BODY_ERRORS, read_json
from medusa_auth.server.identity import Identify
from medusa_auth.server.queries import USER_PARAMETERS, picked, read_user_listing
from medusa_auth.server.responses import json_response, tagged_json_response, unless_known
from medusa_auth.server.routes import Documented, ExpressRoute, path_param
from medusa_auth.server.validation import (
    given,
    read_admin_create_user_request,
    read_admin_reset_password_request,
    read_admin_reset_password_token_request,
    read_admin_update_user_request,
)
from medusa_auth.wire import (
    AdminCreateUserRequest,
    AdminDeleteUserRes,
    AdminResetPasswordRequest,
    AdminResetPasswordTokenRequest,
    AdminUpdateUserRequest,
    AdminUserRes,
    AdminUsersListRes,
    User,
)

__all__ = ["UsersApi"]

_ERRORS = (*BODY_ERRORS, AuthenticationError, ForbiddenError, UnavailableError)


class UsersApi:
    """Decodes, calls the rules, encodes."""

    def __init__(self, *, team: Team, identify: Identify, clock: Clock) -> None:
        self._team = team
        self._identify = identify
        self._clock = clock

    async def list_users(self, request: Request) -> Response:
        await read_json(request)
        identity = await self._identify(request)
        listing = read_user_listing(request.scope["query_string"])
        users, count = await self._team.list_users(identity, listing.query)
        body = {
            "users": [picked(msgspec.structs.asdict(User.of(user)), listing.fields) for user in users],
            "count": count,
            "offset": listing.query.offset,
            "limit": listing.query.limit,
        }
        return unless_known(tagged_json_response(body), request)

    async def get_user(self, request: Request) -> Response:
        await read_json(request)
        identity = await self._identify(request)
        user = await self._team.get_user(identity, path_param(request, "user_id"))
        return unless_known(tagged_json_response(AdminUserRes(User.of(user))), request)

    async def create_user(self, request: Request) -> Response:
        body = await read_json(request)
        identity = await self._identify(request)
        req = read_admin_create_user_request(body)
        role = Role(given(req.role) or Role.MEMBER)
        new = NewUser(req.password, given(req.first_name), given(req.last_name))
        user = await self._team.create_user(identity, req.email, role, new, self._clock())
        return json_response(AdminUserRes(User.of(user)))

    async def update_user(self, request: Request) -> Response:
        body = await read_json(request)
        identity = await self._identify(request)
        req = read_admin_update_user_request(body)
        # Null takes a name and an API token away; a role and metadata that are null stay as they are.
        changes = UserChanges(
            first_name=req.first_name,
            last_name=req.last_name,
            role=Role(req.role) if isinstance(req.role, str) else UNSET,
            metadata=req.metadata if isinstance(req.metadata, dict) else UNSET,
        )
        api_token = None if req.api_token is UNSET else given(req.api_token) or ""
        user_id = path_param(request, "user_id")
        user = await self._team.update_user(identity, user_id, changes, self._clock(), api_token=api_token)
        return json_response(AdminUserRes(User.of(user)))

    async def delete_user(self, request: Request) -> Response:
        await read_json(request)
        identity = await self._identify(request)
        user_id = path_param(request, "user_id")
        await self._team.delete_user(identity, user_id, self._clock())
        return json_response(AdminDeleteUserRes(user_id, "user", deleted=True))

    async def password_token(self, request: Request) -> Response:
        req = read_admin_reset_password_token_request(await read_json(request))
        await self._team.request_reset(req.email, self._clock())
        return Response(status_code=204)

    async def reset_password(self, request: Request) -> Response:
        req = read_admin_reset_password_request(await read_json(request))
        user = await self._team.reset_password(req.token, given(req.email), req.password, self._clock)
        return json_response(AdminUserRes(User.of(user)))

    def routes(self) -> list[ExpressRoute]:
        """Those that need no credential come first: their paths look like a user's."""
        return [
            ExpressRoute(
                "POST",
                "/admin/users/password-token",
                self.password_token,
                _documented(
                    "Ask for a new password",
                    "Sends a mail with a link, if there is a user of that email. Neither the answer nor its time tell.",
                    {204: ""},
                    (*BODY_ERRORS, UnavailableError),
                    body=AdminResetPasswordTokenRequest,
                    credentials=False,
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/users/reset-password",
                self.reset_password,
                _documented(
                    "Set a new password",
                    "With the token of the link, good once and for 15 minutes. Ends their sessions and access tokens.",
                    {200: AdminUserRes},
                    (*BODY_ERRORS, AuthenticationError, UnavailableError),
                    body=AdminResetPasswordRequest,
                    credentials=False,
                ),
            ),
            ExpressRoute(
                "GET",
                "/admin/users",
                self.list_users,
                _documented(
                    "List the users",
                    "All of them, or those that the query asks for.",
                    {200: AdminUsersListRes},
                    query=USER_PARAMETERS,
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/users",
                self.create_user,
                _documented(
                    "Make a user",
                    "The user and the admins are told by mail.",
                    {200: AdminUserRes},
                    (*_ERRORS, DuplicateError),
                    body=AdminCreateUserRequest,
                ),
            ),
            ExpressRoute(
                "GET",
                "/admin/users/:user_id",
                self.get_user,
                _documented(
                    "Show a user",
                    "The user of that id.",
                    {200: AdminUserRes},
                    (*_ERRORS, NotFoundError),
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/users/:user_id",
                self.update_user,
                _documented(
                    "Change a user",
                    "What is left out stays. An API token is never shown again.",
                    {200: AdminUserRes},
                    (*_ERRORS, NotFoundError),
                    body=AdminUpdateUserRequest,
                ),
            ),
            ExpressRoute(
                "DELETE",
                "/admin/users/:user_id",
                self.delete_user,
                _documented(
                    "Delete a user",
                    "Ends all sessions and tokens of theirs, everywhere and at once. The last admin stays.",
                    {200: AdminDeleteUserRes},
                ),
            ),
        ]


def _documented(
    summary: str,
    description: str,
    answers: Mapping[int, type[msgspec.Struct] | str],
    errors: Sequence[type[AnswerError]] = _ERRORS,
    *,
    body: type[msgspec.Struct] | None = None,
    query: Mapping[str, str] = MappingProxyType({}),
    credentials: bool = True,
) -> Documented:
    return Documented(summary, description, answers, errors, body, query, credentials, tag="users")
