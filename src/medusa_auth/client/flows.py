"""Medusa v1's admin calls as generators: each yields Calls and Waits, gets Replies, and returns a typed answer.

Nothing here does I/O or reads a clock. What is Medusa's is here and in `sending`: paths, and what is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import httpx2
import msgspec

from medusa_auth import wire
from medusa_auth.client.access_tokens import read_token
from medusa_auth.client.addresses import path_of, with_query
from medusa_auth.client.calls import Flow
from medusa_auth.client.config import read_path
from medusa_auth.client.replies import DataAnswer
from medusa_auth.client.sending import AUTH, TOKEN, Headers, Sender
from medusa_auth.errors import InvalidRequestError

__all__ = ["Flows"]

USERS = "/admin/users"
PASSWORD_TOKEN = "/admin/users/password-token"  # noqa: S105 - a path
RESET_PASSWORD = "/admin/users/reset-password"  # noqa: S105 - a path
INVITES = "/admin/invites"
ACCEPT = "/admin/invites/accept"
_UNAUTHORIZED = 401

# Where `fields` was asked for, the others are not answered.
_SomeFields: Any = msgspec.defstruct(
    "User", [(name, kind | None, None) for name, kind in get_type_hints(wire.User).items()], bases=(wire.User,)
)
_SomeFieldsRes: Any = msgspec.defstruct(
    "AdminUsersListRes", [("users", list[_SomeFields])], bases=(wire.AdminUsersListRes,)
)


class Flows(Sender):
    """The calls of one client."""

    def create_session(self, payload: wire.AdminPostAuthReq, headers: Headers | None = None) -> Flow[wire.AdminAuthRes]:
        """Log in: the session's cookie is in the reply's headers. Raises AuthenticationError."""
        return self._ask(wire.AdminAuthRes, "POST", AUTH, headers, payload)

    def get_session(self, headers: Headers | None = None) -> Flow[wire.AdminAuthRes]:
        """Who is logged in. Raises AuthenticationError when nobody is."""
        return self._ask(wire.AdminAuthRes, "GET", AUTH, headers)

    def delete_session(self, headers: Headers | None = None) -> Flow[wire.Answer]:
        """Log out. Raises AuthenticationError when nobody is logged in.

        The access token and the session's cookie are forgotten on both: neither is of use any more. They are kept when
        the logout did not happen (503, no answer), so that it can be tried again.
        """
        reply = yield from self._send("DELETE", AUTH, headers)
        if reply.status == _UNAUTHORIZED:
            self._forget()
        answer = reply.read_ok()
        self._forget()
        return answer

    def get_token(
        self, payload: wire.AdminPostAuthReq, headers: Headers | None = None
    ) -> Flow[wire.AdminBearerAuthRes]:
        """Get an access token, and keep it for the calls that follow. Raises AuthenticationError."""
        reply = yield from self._send("POST", TOKEN, headers, payload)
        answer = read_token(reply)
        self._access_token = answer.access_token
        return answer

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Headers | None = None,
    ) -> Flow[DataAnswer]:
        """Any other call. Raises InvalidRequestError for a path that is not below the base URL."""
        if not method.isascii() or not method.isalpha():
            raise InvalidRequestError(f"{method!r} is not an HTTP method")
        reply = yield from self._send(method.upper(), _with_params(read_path(path), params or {}), headers, json)
        return reply.read_data()

    def list_users(self, query: Mapping[str, Any] | None, headers: Headers | None) -> Flow[wire.AdminUsersListRes]:
        """Some users; of each what `fields` in the query asks for."""
        path = with_query(USERS, query)
        shape = _SomeFieldsRes if query and query.get("fields") else wire.AdminUsersListRes
        return self._ask(shape, "GET", path, headers)

    def retrieve_user(self, user_id: str, headers: Headers | None) -> Flow[wire.AdminUserRes]:
        """A user. Raises NotFoundError."""
        return self._ask(wire.AdminUserRes, "GET", path_of(USERS, user_id), headers)

    def create_user(self, body: Any, headers: Headers | None) -> Flow[wire.AdminUserRes]:
        """A new user. Raises InvalidRequestError for an email that a user has."""
        return self._ask(wire.AdminUserRes, "POST", USERS, headers, body)

    def update_user(self, user_id: str, body: Any, headers: Headers | None) -> Flow[wire.AdminUserRes]:
        """A user, changed. Raises NotFoundError."""
        return self._ask(wire.AdminUserRes, "POST", path_of(USERS, user_id), headers, body)

    def delete_user(self, user_id: str, headers: Headers | None) -> Flow[wire.AdminDeleteUserRes]:
        """Delete a user."""
        return self._ask(wire.AdminDeleteUserRes, "DELETE", path_of(USERS, user_id), headers)

    def send_reset_password_token(self, body: Any, headers: Headers | None) -> Flow[wire.Answer]:
        """Ask for a mail with a link to set a new password."""
        return self._ask_ok("POST", PASSWORD_TOKEN, headers, body)

    def reset_password(self, body: Any, headers: Headers | None) -> Flow[wire.AdminUserRes]:
        """Set a new password. Raises AnswerError for a token that is not good."""
        return self._ask(wire.AdminUserRes, "POST", RESET_PASSWORD, headers, body)

    def list_invites(self, headers: Headers | None) -> Flow[wire.AdminListInvitesRes]:
        """The open invites."""
        return self._ask(wire.AdminListInvitesRes, "GET", INVITES, headers)

    def create_invite(self, body: Any, headers: Headers | None) -> Flow[wire.Answer]:
        """Invite somebody."""
        return self._ask_ok("POST", INVITES, headers, body)

    def resend_invite(self, invite_id: str, headers: Headers | None) -> Flow[wire.Answer]:
        """Send an invite again. Raises InvalidRequestError for one that is not there."""
        return self._ask_ok("POST", f"{path_of(INVITES, invite_id)}/resend", headers)

    def delete_invite(self, invite_id: str, headers: Headers | None) -> Flow[wire.AdminInviteDeleteRes]:
        """Withdraw an invite."""
        return self._ask(wire.AdminInviteDeleteRes, "DELETE", path_of(INVITES, invite_id), headers)

    def accept_invite(self, body: Any, headers: Headers | None) -> Flow[wire.Answer]:
        """Become a user by an invite. Raises InvalidRequestError for a token that is not good."""
        return self._ask_ok("POST", ACCEPT, headers, body)

    def _forget(self) -> None:
        self._access_token = None
        self.cookies.discard(wire.COOKIE_NAME)


def _with_params(path: str, params: Mapping[str, Any]) -> str:
    """`path` with `params` in its query; None is left out, as medusa-js leaves out undefined."""
    query = str(httpx2.QueryParams({name: value for name, value in params.items() if value is not None}))
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"
