"""Whether the server lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.errors import UnavailableError
from medusa_auth.server.responses import json_response, text_response
from medusa_auth.server.routes import Documented, ExpressRoute
from medusa_auth.store.base import Pingable

__all__ = ["HealthApi", "ReadyRes"]

# Medusa's own answer to /health, for the probes that know it.
_HTML = "text/html; charset=utf-8"


class ReadyRes(msgspec.Struct):
    """`stores` maps the name of a store to whether it can be reached."""

    ready: bool
    stores: dict[str, bool]


class HealthApi:
    """For load balancers and people; needs no credential and tells no more than yes or no."""

    def __init__(self, stores: Mapping[str, Pingable]) -> None:
        self._stores = stores

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - every endpoint has one
        """This process answers."""
        return text_response("OK", media_type=_HTML)

    async def health_options(self, request: Request) -> Response:  # noqa: ARG002 - as above
        """Express answers so by itself."""
        response = text_response("GET,HEAD", media_type=_HTML)
        response.headers["allow"] = "GET,HEAD"
        return response

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - as above
        """Every store can be reached; 503 if not."""
        answers = await asyncio.gather(*(_answers(store) for store in self._stores.values()))
        stores = dict(zip(self._stores, answers, strict=True))
        ready = all(stores.values())
        return json_response(ReadyRes(ready, stores), 200 if ready else 503)

    def routes(self) -> list[ExpressRoute]:
        return [
            ExpressRoute(
                "GET",
                "/health",
                self.health,
                Documented("Is it alive", "This process answers.", {200: "OK"}, tag="health"),
            ),
            ExpressRoute("OPTIONS", "/health", self.health_options),
            ExpressRoute(
                "GET",
                "/ready",
                self.ready,
                Documented("Can it work", "Every store can be reached.", {200: ReadyRes, 503: ReadyRes}, tag="health"),
            ),
        ]


async def _answers(store: Pingable) -> bool:
    try:
        await store.ping()
    except UnavailableError:
        return False
    return True
