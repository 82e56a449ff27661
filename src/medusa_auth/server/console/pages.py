"""The console's pages for those who have no session: set a new password, accept an invite.

They work without JavaScript. A link's token comes in the fragment, which no server and no log sees, and is used by
nothing but the form's POST: whoever merely opens the link, such as a mail scanner, uses nothing up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.core.clocks import Clock
from medusa_auth.core.invites import ALREADY_JOINED, INVITE_OVER, TOKEN_NOT_VALID
from medusa_auth.core.team import NewUser, Team
from medusa_auth.errors import AnswerError, AuthenticationError
from medusa_auth.server.bodies import read_form
from medusa_auth.server.responses import retry_after
from medusa_auth.server.routes import ExpressRoute
from medusa_auth.server.templates import environment
from medusa_auth.server.validation import given, read_admin_post_invites_invite_accept_req

__all__ = ["ConsolePages"]

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HTML = "text/html; charset=utf-8"
ASSETS = {"console.css": "text/css; charset=utf-8", "link.js": "text/javascript; charset=utf-8"}
_OVER = "This link is over: it was used already, it is too old, or a newer one was sent. Ask for a new one."

_NO_INVITE = frozenset({"token should not be empty", TOKEN_NOT_VALID, INVITE_OVER})

Done = Callable[[Mapping[str, str]], Awaitable[str]]
"""Does what a form asks for, and says in a sentence what was done."""


class ConsolePages:
    """Each page shows its form again where something was wrong, with what was typed but the password."""

    def __init__(self, *, team: Team, clock: Clock, min_length: int) -> None:
        self._team = team
        self._clock = clock
        self._min_length = min_length
        self._templates = environment()

    async def accept_invite(self, request: Request) -> Response:
        return self._form("accept_invite", {"token": request.query_params.get("token", "")})

    async def reset_password(self, request: Request) -> Response:
        return self._form("reset_password", {"token": request.query_params.get("token", "")})

    async def send_accept_invite(self, request: Request) -> Response:
        return await self._sent(request, "accept_invite", self._accept)

    async def send_reset_password(self, request: Request) -> Response:
        return await self._sent(request, "reset_password", self._reset)

    async def _accept(self, form: Mapping[str, str]) -> str:
        names = {name: form[name] or None for name in ("first_name", "last_name")}
        # What is asked of a name is asked in one place.
        body = {"token": form["token"], "user": {**names, "password": form["password"]}}
        req = read_admin_post_invites_invite_accept_req(body)
        new = NewUser(req.user.password, given(req.user.first_name), given(req.user.last_name))
        user = await self._team.accept_invite(req.token, new, self._clock())
        return f"You have an account now. Sign in as {user.email}, with the password that you chose."

    async def _reset(self, form: Mapping[str, str]) -> str:
        user = await self._team.reset_password(form["token"], None, form["password"], self._clock)
        return f"The password of {user.email} is set, and all older sessions have ended. Sign in with the new one."

    async def _sent(self, request: Request, page: str, done: Done) -> Response:
        form = dict.fromkeys(("token", "password", "first_name", "last_name"), "") | await read_form(request)
        # People without JavaScript paste the whole link.
        form["token"] = form["token"].rpartition("token=")[2].strip()
        try:
            return self._page("done", {"page": page, "message": await done(form)}, 200)
        except AnswerError as error:
            response = self._form(page, form, error)
            return retry_after(response, error)

    def _form(self, page: str, form: Mapping[str, str], error: AnswerError | None = None) -> Response:
        shown = {"token": "", "first_name": "", "last_name": ""} | {k: v for k, v in form.items() if k != "password"}
        message = None if error is None else _in_words(error)
        wrong = "token" if message == _OVER else "password" if message and "password" in message else None
        if wrong == "token":
            # There is room for another link.
            shown["token"] = ""
        values = {"form": shown, "error": message, "wrong": wrong, "min_length": self._min_length}
        return self._page(page, values, 200 if error is None else error.status)

    def _page(self, template: str, values: Mapping[str, Any], status: int) -> Response:
        content = self._templates.get_template(f"console/{template}.html").render(values)
        return Response(content, status, {"content-security-policy": PAGE_POLICY}, HTML)

    def routes(self) -> list[ExpressRoute]:
        return [
            ExpressRoute("GET", "/console/accept-invite", self.accept_invite),
            ExpressRoute("POST", "/console/accept-invite", self.send_accept_invite),
            ExpressRoute("GET", "/console/reset-password", self.reset_password),
            ExpressRoute("POST", "/console/reset-password", self.send_reset_password),
            *(_asset(name, media_type) for name, media_type in ASSETS.items()),
        ]


def _in_words(error: AnswerError) -> str:
    over = isinstance(error, AuthenticationError) or error.message in _NO_INVITE
    if over:
        return _OVER
    return "There is an account with this email already: sign in." if error.message == ALREADY_JOINED else error.message


def _asset(name: str, media_type: str) -> ExpressRoute:
    content = files("medusa_auth.server").joinpath("templates/console", name).read_bytes()

    async def asset(request: Request) -> Response:  # noqa: ARG001 - every endpoint has one
        return Response(content, media_type=media_type)

    return ExpressRoute("GET", f"/console/{name}", asset)
