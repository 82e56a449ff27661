"""What the server is measured beside: the same bytes, from a bare Starlette application and from bare uvicorn."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

BODY = (
    b'{"user":{"id":"usr_01M85WFK8PK9CNZ0NAQE9C1P2V","created_at":"2026-11-24T04:19:33.270Z","updated_at":'
    b'"2026-11-24T04:19:33.270Z","deleted_at":null,"role":"admin","email":"admin@example.com","first_name":null,'
    b'"last_name":null,"api_token":null,"metadata":null}}'
)


async def _answer(_: Request) -> Response:
    return Response(BODY, media_type="application/json")


starlette_app = Starlette(routes=[Route("/admin/auth", _answer)])


async def uvicorn_app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI application has it
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
