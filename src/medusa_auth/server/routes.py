"""Routes that match as Express's do."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from medusa_auth.errors import AnswerError, InvalidRequestError

__all__ = ["Documented", "Endpoint", "ExpressRoute", "path_param", "raw_path"]

_PARAMETER = re.compile(r":([a-z_]+)")

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Documented:
    """What the OpenAPI document says of a route.

    `answers` maps a status to a Struct, to an example of a text, or to "" for no body; `query` a parameter to its
    description.
    """

    summary: str
    description: str
    answers: Mapping[int, type[msgspec.Struct] | str]
    errors: Sequence[type[AnswerError]] = ()
    body: type[msgspec.Struct] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    credentials: bool = False
    tag: str = "auth"


class ExpressRoute(Route):
    """Matches a path as Express 4 does.

    Letters in any case, a slash more between the parts and at the end, and nothing decoded: `/admin/%61uth` is another
    path than `/admin/auth`. A part `:name` is any, and `path_param` tells it. A method that the route does not have is
    no match, so that the next route is asked.
    """

    def __init__(self, method: str, path: str, endpoint: Endpoint, documented: Documented | None = None) -> None:
        super().__init__(_PARAMETER.sub(r"{\1}", path), endpoint, methods=[method])
        self.method = method
        self.documented = documented
        self.parameters = _PARAMETER.findall(path)
        parts = [_PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(part)) for part in path.strip("/").split("/")]
        # Medusa's routes under /admin are those of a router within a router, and each forgives a slash at the end.
        trailing = "/{0,2}" if path.startswith("/admin") else "/?"
        self.path_regex = re.compile(f"/{'//?'.join(parts)}{trailing}", re.IGNORECASE)

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
        match = self.path_regex.fullmatch(raw_path(scope))
        if match is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": match.groupdict()}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Without Starlette's own handling of errors on each route: there is one place for that, the edge."""
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def path_param(request: Request, name: str) -> str:
    """The part of the path that is called `name`, decoded. Raises InvalidRequestError for what no id can be."""
    try:
        value = unquote_to_bytes(request.path_params[name]).decode()
    except UnicodeDecodeError:
        value = "\0"
    if "\0" in value:
        raise InvalidRequestError(f"{name} in the path is not an id")
    return value


def raw_path(scope: Scope) -> str:
    """The path as it was sent, with nothing decoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("latin-1", "replace")
    return raw.partition(b"?")[0].decode("latin-1")
