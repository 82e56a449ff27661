"""Everything that has no route: under /admin a credential is asked for first, as Medusa does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.errors import NotFoundError
from medusa_auth.server.bodies import read_json
from medusa_auth.server.identity import Identify
from medusa_auth.server.routes import raw_path

__all__ = ["UnknownApi"]

MAX_SHOWN_PATH = 256


class UnknownApi:
    """Always raises."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def under_admin(self, request: Request) -> Response:
        await read_json(request)
        await self._identify(request)
        return await self.elsewhere(request)

    async def elsewhere(self, request: Request) -> Response:
        raise NotFoundError(f"Cannot {request.method} {raw_path(request.scope)[:MAX_SHOWN_PATH]}")
