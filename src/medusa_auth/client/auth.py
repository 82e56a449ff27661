"""Access tokens for an httpx2 client of any kind: fetched, sent and renewed by themselves."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
from threading import Lock
from weakref import WeakKeyDictionary

import anyio
import httpx2
import msgspec
from anyio.lowlevel import RunVar

from medusa_auth.client.access_tokens import bearer, lifetime, read_token
from medusa_auth.client.base import reply_to
from medusa_auth.client.config import Config, read_base_url
from medusa_auth.client.payloads import read_payload
from medusa_auth.client.replies import Reply
from medusa_auth.client.sending import DEFAULT_HEADERS, JSON_HEADERS, TOKEN
from medusa_auth.errors import MedusaAuthError

__all__ = ["MedusaAuth"]

# Seconds before its end at which a token is renewed: twice this package's time limit of a request, so that none arrives
# with a token that ended on the way. A token that is good for less than two minutes is renewed at half its life.
RENEWAL_MARGIN = 60.0

_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    renew_at: float


class MedusaAuth(httpx2.Auth):
    """Sends an administrator's access token with every request to the origin of `base_url`, and to no other.

    `httpx2.Client(auth=MedusaAuth("http://localhost:9000", email, password))`; AsyncClient too, and both may share one.
    The token is fetched at the first request, and again before it ends or when a request is answered 401; that request
    is sent once more, so a body that is a stream is read into memory first. Requests that come at the same time share
    one login (one for the threads and one for each event loop) and its refusal: a wrong password is tried once.

    Args:
        base_url: Where Medusa is; may have a path prefix.
        email: The administrator's.
        password: Kept in memory, never shown.
        clock: The time in seconds since 1970.

    Raises SettingsError and InvalidRequestError; and from the client's methods what the login was answered, such as
    AuthenticationError. The next request tries again.
    """

    def __init__(self, base_url: str, email: str, password: str, *, clock: Callable[[], float] = time.time) -> None:
        self._config = Config(read_base_url(base_url))
        self._email = email
        self._content = msgspec.json.encode(read_payload(None, email, password))
        self._clock = clock
        self._lock = Lock()
        self._held: _Held | None = None
        self._refusal: Reply | None = None

    def __repr__(self) -> str:
        return f"MedusaAuth({str(self._config.base_url)!r}, {self._email!r}, password=...)"

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Called by httpx2.Client. The async twin differs by its lock and its awaits only."""
        if not self._is_meant_for(request):
            yield request
            return
        request.read()
        rejected: str | None = None
        while True:
            seen = self._refusal
            with self._lock:
                token, is_new = self._usable(rejected, seen), False
                if token is None:
                    answer = yield self._login(request)
                    answer.read()
                    token, is_new = self._keep(reply_to(answer)), True
            response = yield _with_token(request, token)
            if response.status_code != _UNAUTHORIZED or is_new or rejected:
                return
            rejected = token

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Called by httpx2.AsyncClient."""
        if not self._is_meant_for(request):
            yield request
            return
        await request.aread()
        rejected: str | None = None
        while True:
            seen = self._refusal
            async with _loop_lock(self):
                token, is_new = self._usable(rejected, seen), False
                if token is None:
                    answer = yield self._login(request)
                    await answer.aread()
                    token, is_new = self._keep(reply_to(answer)), True
            response = yield _with_token(request, token)
            if response.status_code != _UNAUTHORIZED or is_new or rejected:
                return
            rejected = token

    def _is_meant_for(self, request: httpx2.Request) -> bool:
        return request.url.origin == self._config.base_url.origin

    def _usable(self, rejected: str | None, seen: Reply | None) -> str | None:
        """The token that is held, None when it is time for a login.

        `rejected` is a token that was answered 401. `seen` is the last refusal before this request waited for its turn:
        a newer one is raised, for this request would be refused like the one that it waited for.
        """
        held = self._held
        if held and held.token == rejected:
            held = self._held = None
        if held and self._clock() < held.renew_at:
            return held.token
        if self._refusal is not None and self._refusal is not seen:
            return read_token(self._refusal).access_token
        return None

    def _login(self, request: httpx2.Request) -> httpx2.Request:
        """The request for a token, under the time limits of `request`, which is waiting for it."""
        limits = {name: value for name, value in request.extensions.items() if name == "timeout"}
        headers = {**DEFAULT_HEADERS, **JSON_HEADERS}
        url = self._config.url(TOKEN)
        return httpx2.Request("POST", url, headers=headers, content=self._content, extensions=limits)

    def _keep(self, reply: Reply) -> str:
        try:
            token = read_token(reply).access_token
        except MedusaAuthError:
            self._refusal = reply
            raise
        now = self._clock()
        seconds = lifetime(token, now)
        renew_at = float("inf") if seconds is None else now + max(seconds - RENEWAL_MARGIN, seconds / 2)
        self._held = _Held(token, renew_at)
        return token


# Of anyio's locks each belongs to one event loop, while an instance may outlive many.
_LOCKS: RunVar[WeakKeyDictionary[MedusaAuth, anyio.Lock]] = RunVar("medusa_auth.client.auth")


def _loop_lock(auth: MedusaAuth) -> anyio.Lock:
    """The lock of `auth` in the running event loop."""
    locks = _LOCKS.get(None)
    if locks is None:
        locks = WeakKeyDictionary()
        _LOCKS.set(locks)
    return locks.setdefault(auth, anyio.Lock())


def _with_token(request: httpx2.Request, token: str) -> httpx2.Request:
    request.headers["Authorization"] = bearer(token)
    return request
