"""Medusa's `AdminAuthResource`: createSession, getSession, deleteSession, getToken."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import structlog
from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.core.clocks import Clock
from medusa_auth.core.login import Login
from medusa_auth.errors import (
    AuthenticationError,
    ForbiddenError,
    UnavailableError,
)
from medusa_auth.model import Identity
from medusa_auth.server.bodies import BODY_ERRORS, read_json
from medusa_auth.server.cookies import SessionCookie
from medusa_auth.server.diagnosis import login_problems
from medusa_auth.server.identity import Identify
from medusa_auth.server.responses import json_response, tagged_json_response, text_response, unless_known
from medusa_auth.server.routes import Documented, ExpressRoute
from medusa_auth.server.state import context_of, is_secure, origin_of
from medusa_auth.server.validation import read_admin_post_auth_req
from medusa_auth.wire import AdminAuthRes, AdminBearerAuthRes, AdminPostAuthReq, User

__all__ = ["AuthApi"]

_log = structlog.get_logger()

# Of an answer that is kept; of most users it has 0.3 KiB, and of one with large metadata 100 KiB.
MAX_REMEMBERED_BYTES = 4 * 1024


class AuthApi:
    """Decodes, calls the rules, encodes."""

    def __init__(self, *, login: Login, identify: Identify, cookie: SessionCookie, clock: Clock) -> None:
        self._login = login
        self._identify = identify
        self._cookie = cookie
        self._clock = clock
        self._user_responses: WeakKeyDictionary[Identity, Response] = WeakKeyDictionary()

    async def create_session(self, request: Request) -> Response:
        """A new session; the one that the cookie named before is over."""
        req = read_admin_post_auth_req(await read_json(request))
        replaces = self._identify.replaceable_session(request)
        now = self._clock()
        signed_in = await self._login.sign_in(req.email, req.password, context_of(request), now, replaces=replaces)
        response = json_response(AdminAuthRes(User.of(signed_in.user)))
        cookie = self._cookie.write(signed_in.session_id, signed_in.session.expires_at, secure=is_secure(request))
        response.headers["set-cookie"] = cookie
        for problem in login_problems(request.headers, origin_of(request), self._cookie.same_site):
            _log.warning("this login will not last", problem=problem, user_id=signed_in.user.id)
        return response

    async def get_session(self, request: Request) -> Response:
        """The user whose credential the request carries."""
        await read_json(request)
        identity = await self._identify(request)
        return unless_known(self._user_response(identity), request)

    async def delete_session(self, request: Request) -> Response:
        """The session and the access token that the request carries have ended. An API token stays."""
        await read_json(request)
        await self._identify(request)
        session_id = self._identify.session_id(request)
        left = await self._login.sign_out(session_id, self._identify.access_token(request), self._clock())
        response, secure = text_response("OK"), is_secure(request)
        if left is not None:
            response.headers["set-cookie"] = self._cookie.write(left.session_id, left.expires_at, secure=secure)
        elif session_id is not None:
            response.headers["set-cookie"] = self._cookie.clear(secure=secure)
        return response

    async def get_token(self, request: Request) -> Response:
        """An access token; the session that the cookie names stays as it is."""
        req = read_admin_post_auth_req(await read_json(request))
        return json_response(AdminBearerAuthRes(await self._login.issue_token(req.email, req.password, self._clock())))

    def _user_response(self, identity: Identity) -> Response:
        """Made once for an identity, which is remembered for as long as it is good."""
        response = self._user_responses.get(identity)
        if response is None:
            response = tagged_json_response(AdminAuthRes(User.of(identity.user)))
            if len(response.body) <= MAX_REMEMBERED_BYTES:
                self._user_responses[identity] = response
        return response

    def routes(self) -> list[ExpressRoute]:
        """The four methods, with what the OpenAPI document says of them."""
        return [
            # The most frequent one first.
            ExpressRoute(
                "GET",
                "/admin/auth",
                self.get_session,
                Documented(
                    "Who am I",
                    "The administrator whose session, access token or API token the request carries; the first that is "
                    "good, in this order.",
                    {200: AdminAuthRes},
                    (*BODY_ERRORS, AuthenticationError, UnavailableError),
                    credentials=True,
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/auth",
                self.create_session,
                Documented(
                    "Sign in",
                    "Starts a session and sets its cookie, `connect.sid`; the session that it named before ends.",
                    {200: AdminAuthRes},
                    (*BODY_ERRORS, AuthenticationError, ForbiddenError, UnavailableError),
                    body=AdminPostAuthReq,
                ),
            ),
            ExpressRoute(
                "DELETE",
                "/admin/auth",
                self.delete_session,
                Documented(
                    "Sign out",
                    "Ends the session and the access token that the request carries, everywhere and at once. API "
                    "tokens stay until they are revoked.",
                    {200: "OK"},
                    (*BODY_ERRORS, AuthenticationError, ForbiddenError, UnavailableError),
                    credentials=True,
                ),
            ),
            ExpressRoute(
                "POST",
                "/admin/auth/token",
                self.get_token,
                Documented(
                    "Get an access token",
                    "A JWT for `Authorization: Bearer`, good for 24 hours unless it is set otherwise.",
                    {200: AdminBearerAuthRes},
                    (*BODY_ERRORS, AuthenticationError, UnavailableError),
                    body=AdminPostAuthReq,
                ),
            ),
        ]
