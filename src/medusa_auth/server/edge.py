"""The outermost layer: every request gets an id, an origin, the headers that every answer has, and one log line."""

from __future__ import annotations

import os
import re
import time
from itertools import count

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medusa_auth.core.ids import Random
from medusa_auth.errors import RETRY_AFTER_SECONDS, AnswerError, ServerError, UnavailableError
from medusa_auth.server.identity import SAFE_METHODS
from medusa_auth.server.origins import Origins, RawHeaders
from medusa_auth.server.proxies import Proxies
from medusa_auth.server.responses import error_response
from medusa_auth.server.routes import raw_path
from medusa_auth.server.state import header_names, identity_in, origin_in, remember_origin
from medusa_auth.server.telling import is_over, tell_any_time, told_until
from medusa_auth.server.turnstile import Turnstile

__all__ = ["Edge"]

# Nothing here is for a frame, a script or a cache of somebody else's (ASVS 5.0 V3.2.1, V3.4, V3.5.8, V14.3.2).
SECURITY_HEADERS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
CONTENT_SECURITY_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
ADMIN = re.compile(r"/admin(/|$)", re.IGNORECASE)
MAX_LOGGED_PATH = 256
# Statuses from this one on tell nobody that a credential is good.
FAILURES = 400


class Edge:
    """Wraps `app`, and answers the errors that it raises. One that is not an answer is logged, and told to nobody."""

    def __init__(
        self, app: ASGIApp, *, proxies: Proxies, origins: Origins, hsts: str, random: Random = os.urandom
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._origins = origins
        self._hsts = (b"strict-transport-security", hsts.encode("latin-1"))
        # A request's id: which process, and which of its requests.
        self._run = random(6).hex()
        self._requests = count(1)
        self._turnstile = Turnstile()
        self._log = structlog.get_logger().bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # One that comes after another on its connection begins in what is left of the other's context.
        tell_any_time()
        path, request_id = raw_path(scope), f"{self._run}-{next(self._requests):x}"
        is_admin = ADMIN.match(path) is not None
        headers = self._headers(scope, request_id, is_admin=is_admin)
        # Of what was sent so far; 0: nothing.
        status = 0

        async def send_whole(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                if message["status"] >= FAILURES:
                    tell_any_time()
                elif is_over(told_until()):
                    raise UnavailableError("This took too long.", retry_after=RETRY_AFTER_SECONDS)
                status = message["status"]
                message["headers"] = _merged(message["headers"], headers)
            await send(message)

        try:
            if scope["method"] not in SAFE_METHODS:
                await self._turnstile.wait()
            app = _preflight if is_admin and scope["method"] == "OPTIONS" else self._app
            await app(scope, receive, send_whole)
        except AnswerError as error:
            await error_response(error)(scope, receive, send_whole)
        except Exception:
            self._log.exception("failed", request_id=request_id)
            if status:
                raise
            await error_response(ServerError())(scope, receive, send_whole)
        finally:
            self._log_request(scope, path, request_id, status, time.perf_counter() - started)

    def _headers(self, scope: Scope, request_id: str, *, is_admin: bool) -> RawHeaders:
        received = Headers(scope=scope)
        origin = self._proxies.origin(scope, received)
        remember_origin(scope, origin)
        headers = [(b"x-request-id", request_id.encode()), *SECURITY_HEADERS]
        if origin.scheme == "https" and self._hsts[1] != b"off":
            headers.append(self._hsts)
        if is_admin:
            if scope["method"] == "OPTIONS":
                headers += self._origins.preflight_headers(received)
            else:
                headers += self._origins.cors_headers(received["origin"] if b"origin" in header_names(scope) else None)
        return headers

    def _log_request(self, scope: Scope, path: str, request_id: str, status: int, seconds: float) -> None:
        """The query is left out: people put passwords there."""
        identity = identity_in(scope)
        who = {} if identity is None else {"user_id": identity.user.id, "credential": identity.method}
        self._log.info(
            "request",
            method=scope["method"],
            path=path[:MAX_LOGGED_PATH],
            status=status,
            ms=int(seconds * 10_000) / 10,
            client=origin_in(scope).client,
            request_id=request_id,
            **who,
        )


async def _preflight(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _merged(own: RawHeaders, common: RawHeaders) -> RawHeaders:
    """An answer may have a policy of its own."""
    merged = own + common
    if CONTENT_SECURITY_POLICY[0] not in dict(own):
        merged.append(CONTENT_SECURITY_POLICY)
    return merged
