"""Medusa's `AdminInvitesResource`: who is asked to join, and their joining."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.core.clocks import Clock
from medusa_auth.core.team import NewUser, Team
from medusa_auth.errors import (
    AuthenticationError,
    DuplicateError,
    ForbiddenError,
    UnavailableError,
)
from medusa_auth.model import Role
from medusa_auth.server.bodies import BODY_ERRORS, read_json
from medusa_auth.server.identity import Identify
from medusa_auth.server.responses import json_response, tagged_json_response, text_response, unless_known
from medusa_auth.server.routes import Documented, ExpressRoute, path_param
from medusa_auth.server.validation import given, read_admin_post_invites_invite_accept_req, read_admin_post_invites_req
from medusa_auth.wire import (
    AdminInviteDeleteRes,
    AdminListInvitesRes,
    AdminPostInvitesInviteAcceptReq,
    AdminPostInvitesReq,
    Invite,
)

__all__ = ["InvitesApi"]

_ERRORS = (*BODY_ERRORS, AuthenticationError, ForbiddenError, UnavailableError)


class InvitesApi:
    """Decodes, calls the rules, encodes."""

    def __init__(self, *, team: Team, identify: Identify, clock: Clock) -> None:
        self._team = team
        self._identify = identify
        self._clock = clock

    async def list_invites(self, request: Request) -> Response:
        await read_json(request)
        invites = await self._team.list_invites(await self._identify(request))
        body = AdminListInvitesRes([Invite.of(invite) for invite in invites])
        return unless_known(tagged_json_response(body), request)

    async def create_invite(self, request: Request) -> Response:
        body = await read_json(request)
        identity = await self._identify(request)
        req = read_admin_post_invites_req(body)
        await self._team.invite(identity, req.user, Role(req.role), self._clock())
        return text_response("OK")

    async def resend_invite(self, request: Request) -> Response:
        await read_json(request)
        identity = await self._identify(request)
        await self._team.resend_invite(identity, path_param(request, "invite_id"), self._clock())
        return text_response("OK")

    async def delete_invite(self, request: Request) -> Response:
        await read_json(request)
        identity = await self._identify(request)
        invite_id = path_param(request, "invite_id")
        await self._team.delete_invite(identity, invite_id)
        return json_response(AdminInviteDeleteRes(invite_id, "invite", deleted=True))

    async def accept_invite(self, request: Request) -> Response:
        req = read_admin_post_invites_invite_accept_req(await read_json(request))
        new = NewUser(req.user.password, given(req.user.first_name), given(req.user.last_name))
        await self._team.accept_invite(req.token, new, self._clock())
        return text_response("OK")

    def routes(self) -> list[ExpressRoute]:
        return [
            ExpressRoute(
                "POST",
                "/admin/invites/accept",
                self.accept_invite,
                Documented(
                    "Accept an invite",
                    "With the token of the link, good once and for 7 days. Email and role are the invite's.",
                    {200: "OK"},
                    (*BODY_ERRORS, DuplicateError, UnavailableError),
                    body=AdminPostInvitesInviteAcceptReq,
                    tag="invites",
                ),
            ),
            ExpressRoute(
                "GET",
                "/admin/invites",
                self.list_invites,
                Documented(
                    "List the invites",
                    "All that are open.",
                    {200: AdminListInvitesRes},
                    _ERRORS,
                    credentials=True,
                    tag="invites",
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/invites",
                self.create_invite,
                Documented(
                    "Invite somebody",
                    "Sends a mail with a link. An address that was invited already gets a new link and this role.",
                    {200: "OK"},
                    (*_ERRORS, DuplicateError),
                    body=AdminPostInvitesReq,
                    credentials=True,
                    tag="invites",
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/invites/:invite_id/resend",
                self.resend_invite,
                Documented(
                    "Send an invite again",
                    "With a new link; the older one is over.",
                    {200: "OK"},
                    _ERRORS,
                    credentials=True,
                    tag="invites",
                ),
            ),
            ExpressRoute(
                "DELETE",
                "/admin/invites/:invite_id",
                self.delete_invite,
                Documented(
                    "Withdraw an invite",
                    "Its link is over.",
                    {200: AdminInviteDeleteRes},
                    _ERRORS,
                    credentials=True,
                    tag="invites",
                ),
            ),
        ]
