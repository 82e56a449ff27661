"""Medusa v1's admin calls as generators: each yields Calls and Waits, gets Replies, and returns a typed answer.

Nothing here does I/O or reads a clock. What is Medusa's is here: paths, header names, and which header goes where.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from random import Random, SystemRandom
from typing import Any
from uuid import UUID

import httpx2
import msgspec

from medusa_auth import wire
from medusa_auth.client.access_tokens import bearer, read_token
from medusa_auth.client.calls import Call, Flow
from medusa_auth.client.config import Config, check_headers, read_path
from medusa_auth.client.cookies import Cookies
from medusa_auth.client.replies import DataAnswer, Reply
from medusa_auth.client.retries import send
from medusa_auth.errors import InvalidRequestError

__all__ = ["DEFAULT_HEADERS", "JSON_HEADERS", "TOKEN", "Flows"]

AUTH = "/admin/auth"
TOKEN = "/admin/auth/token"  # noqa: S105 - a path

# medusa-js: unAuthenticatedAdminEndpoints. These ask for no credential, and get none.
_OPEN = frozenset(
    {
        ("POST", AUTH),
        ("POST", "/admin/users/password-token"),
        ("POST", "/admin/users/reset-password"),
        ("POST", "/admin/invites/accept"),
    }
)
_USER_AGENT = f"medusa-auth/{version('medusa-auth')}"
DEFAULT_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": _USER_AGENT}
JSON_HEADERS = {"Content-Type": "application/json"}
_UNAUTHORIZED = 401

Headers = Mapping[str, str]


class Flows:
    """The calls of one client, and the access token that it holds.

    Args:
        random: Where the jitter and the idempotency keys come from.
    """

    def __init__(self, config: Config, cookies: Cookies, random: Random | None = None) -> None:
        self.config = config
        self.cookies = cookies
        self._random = SystemRandom() if random is None else random
        self._access_token: str | None = None

    def create_session(self, payload: wire.AdminPostAuthReq, headers: Headers | None = None) -> Flow[wire.AdminAuthRes]:
        """Log in: the session's cookie is in the reply's headers. Raises AuthenticationError."""
        reply = yield from self._send("POST", AUTH, headers, payload)
        return reply.read(wire.AdminAuthRes)

    def get_session(self, headers: Headers | None = None) -> Flow[wire.AdminAuthRes]:
        """Who is logged in. Raises AuthenticationError when nobody is."""
        reply = yield from self._send("GET", AUTH, headers)
        return reply.read(wire.AdminAuthRes)

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

    def _send(self, method: str, path: str, headers: Headers | None, body: Any = None) -> Flow[Reply]:
        check_headers(headers or {})
        content = b"" if body is None else msgspec.json.encode(body)
        call = Call(method, path, self._headers(method, path, content, headers or {}), content)
        return (yield from send(call, self.config.max_retries, self._random))

    def _headers(self, method: str, path: str, content: bytes, custom: Headers) -> httpx2.Headers:
        """What is sent with a call; each of the later lines wins over the earlier."""
        headers = httpx2.Headers(DEFAULT_HEADERS)
        headers.update(JSON_HEADERS if content else {})
        headers.update(self._credentials(method, path))
        if method == "POST" and self.config.max_retries:
            headers["Idempotency-Key"] = str(UUID(int=self._random.getrandbits(128), version=4))
        headers.update(self.config.custom_headers)
        headers.update(custom)
        return headers

    def _credentials(self, method: str, path: str) -> dict[str, str]:
        """The keys and the token that go to `path`, where medusa-js sends them.

        But the access token goes to calls below /admin only, and not with a request for a new one: a stale token must
        not matter there.
        """
        sent: dict[str, str] = {}
        endpoint = (method, path.partition("?")[0].rstrip("/").lower())
        if self.config.publishable_api_key:
            sent[wire.PUBLISHABLE_API_KEY_HEADER] = self.config.publishable_api_key
        if endpoint in _OPEN or not f"{endpoint[1]}/".startswith("/admin/"):
            return sent
        if self.config.api_key:
            sent[wire.API_TOKEN_HEADER] = self.config.api_key
        token = self._access_token
        if token and endpoint != ("POST", TOKEN):
            sent["Authorization"] = bearer(token)
        return sent

    def _forget(self) -> None:
        self._access_token = None
        self.cookies.discard(wire.COOKIE_NAME)


def _with_params(path: str, params: Mapping[str, Any]) -> str:
    """`path` with `params` in its query; None is left out, as medusa-js leaves out undefined."""
    query = str(httpx2.QueryParams({name: value for name, value in params.items() if value is not None}))
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"
