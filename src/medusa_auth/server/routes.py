"""Routes that match as Express's do."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from medusa_auth.errors import AnswerError

__all__ = ["Documented", "Endpoint", "ExpressRoute", "raw_path"]

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Documented:
    """What the OpenAPI document says of a route. `answers` maps a status to a Struct, or to an example of a text."""

    summary: str
    description: str
    answers: Mapping[int, type[msgspec.Struct] | str]
    errors: Sequence[type[AnswerError]] = ()
    body: type[msgspec.Struct] | None = None
    credentials: bool = False
    tag: str = "auth"


class ExpressRoute(Route):
    """Matches a path as Express 4 does.

    Letters in any case, a slash more between the parts and at the end, and nothing decoded: `/admin/%61uth` is another
    path than `/admin/auth`. A method that the route does not have is no match, so that the next route is asked.
    """

    def __init__(self, method: str, path: str, endpoint: Endpoint, documented: Documented | None = None) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method = method
        self.app = _asgi(endpoint)
        self.documented = documented
        inner = "//?".join(re.escape(part) for part in path.strip("/").split("/"))
        # Medusa's routes under /admin are those of a router within a router, and each forgives a slash at the end.
        trailing = "/{0,2}" if path.startswith("/admin") else "/?"
        self.path_regex = re.compile(f"/{inner}{trailing}", re.IGNORECASE)

    @classmethod
    def under(cls, prefix: str, endpoint: Endpoint) -> ExpressRoute:
        """Matches `prefix` and every path below it, whatever the method."""
        route = cls("*", prefix or "/", endpoint)
        route.methods = None
        route.path_regex = re.compile(f"{re.escape(prefix)}(/.*)?" if prefix else ".*", re.IGNORECASE | re.DOTALL)
        return route

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or (self.methods and scope["method"] not in self.methods):
            return Match.NONE, {}
        if not self.path_regex.fullmatch(raw_path(scope)):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}


def _asgi(endpoint: Endpoint) -> ASGIApp:
    """Without Starlette's own handling of errors on each route: there is one place for that, the edge."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def raw_path(scope: Scope) -> str:
    """The path as it was sent, with nothing decoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("latin-1", "replace")
    return raw.partition(b"?")[0].decode("latin-1")
