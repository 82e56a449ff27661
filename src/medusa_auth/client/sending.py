"""How a call is sent: its headers, its credentials, its repetitions.

Nothing here does I/O or reads a clock. What is Medusa's is here: header names, and which header goes where.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from random import Random, SystemRandom
from typing import Any, TypeVar
from uuid import UUID

import httpx2
import msgspec

from medusa_auth import wire
from medusa_auth.client.access_tokens import bearer
from medusa_auth.client.calls import Call, Flow
from medusa_auth.client.config import Config, check_headers
from medusa_auth.client.cookies import Cookies
from medusa_auth.client.replies import Reply
from medusa_auth.client.retries import send

__all__ = ["AUTH", "DEFAULT_HEADERS", "JSON_HEADERS", "TOKEN", "Headers", "Sender"]

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

Headers = Mapping[str, str]
AnswerT = TypeVar("AnswerT", bound=wire.Answer)


class Sender:
    """Sends the calls of one client, with the access token that it holds.

    Args:
        random: Where the jitter and the idempotency keys come from.
    """

    def __init__(self, config: Config, cookies: Cookies, random: Random | None = None) -> None:
        self.config = config
        self.cookies = cookies
        self._random = SystemRandom() if random is None else random
        self._access_token: str | None = None

    def _ask(
        self, shape: type[AnswerT], method: str, path: str, headers: Headers | None, body: Any = None
    ) -> Flow[AnswerT]:
        """A call that is answered by `shape`."""
        reply = yield from self._send(method, path, headers, body)
        return reply.read(shape)

    def _ask_ok(self, method: str, path: str, headers: Headers | None, body: Any = None) -> Flow[wire.Answer]:
        """A call that is answered by no more than that it was done."""
        reply = yield from self._send(method, path, headers, body)
        return reply.read_ok()

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
