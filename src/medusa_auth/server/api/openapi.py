"""The OpenAPI document, made from the routes and the Structs, and a page that shows it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.errors import AnswerError, AuthenticationError
from medusa_auth.server.responses import JSON
from medusa_auth.server.routes import Documented, ExpressRoute
from medusa_auth.server.templates import environment
from medusa_auth.wire import API_TOKEN_HEADER, COOKIE_NAME, ErrorRes

__all__ = ["OpenApi", "openapi_document"]

_REF = "#/components/schemas/{name}"
_SECURITY_SCHEMES = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE_NAME, "description": "Set by a login."},
    "access_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From getToken."},
    "api_token": {
        "type": "apiKey",
        "in": "header",
        "name": API_TOKEN_HEADER,
        "description": "From `medusa-auth tokens create`.",
    },
}
PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def openapi_document(routes: Sequence[ExpressRoute]) -> dict[str, Any]:
    """OpenAPI 3.1, of the routes that are documented."""
    documented = [(route, route.documented) for route in routes if route.documented]
    structs = {ErrorRes} | {
        struct
        for _, doc in documented
        for struct in (doc.body, *doc.answers.values())
        if struct is not None and not isinstance(struct, str)
    }
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route, doc in documented:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, doc)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "medusa-auth",
            "version": importlib.metadata.version("medusa-auth"),
            "description": "Admin authentication for Medusa stores, as Medusa v1 answers it.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY_SCHEMES},
    }


def _operation(route: ExpressRoute, doc: Documented) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [doc.tag],
        "summary": doc.summary,
        "description": doc.description,
        "responses": {
            **{str(status): _answer(body) for status, body in doc.answers.items()},
            **{str(error.status): _error(error) for error in sorted(doc.errors, key=lambda error: error.status)},
        },
    }
    parameters = [
        *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters),
        *(
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in doc.query.items()
        ),
    ]
    if parameters:
        operation["parameters"] = parameters
    if doc.body is not None:
        schema = {"$ref": _REF.format(name=doc.body.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if doc.credentials:
        operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
    return operation


def _answer(body: type[msgspec.Struct] | str) -> dict[str, Any]:
    if body == "":
        return {"description": "Nothing more.", "content": {}}
    if isinstance(body, str):
        return {"description": body, "content": {"text/*": {"schema": {"type": "string"}, "example": body}}}
    reference = {"$ref": _REF.format(name=body.__name__)}
    return {"description": _first_line(body), "content": {"application/json": {"schema": reference}}}


def _error(error: type[AnswerError]) -> dict[str, Any]:
    if error is AuthenticationError:
        return _answer(error.message)
    return {
        "description": error.message,
        "content": {
            "application/json": {
                "schema": {"$ref": _REF.format(name=ErrorRes.__name__)},
                "example": msgspec.json.decode(ErrorRes(error.type, error.message, error.code).encode()),
            }
        },
    }


def _first_line(documented: type) -> str:
    return (documented.__doc__ or "").partition("\n")[0]


class OpenApi:
    """Both are made once, at the start."""

    def __init__(self, routes: Sequence[ExpressRoute]) -> None:
        document = openapi_document(routes)
        self._document = msgspec.json.encode(document)
        self._page = environment().get_template("docs.html").render(document=document).encode()
        self._style = files("medusa_auth.server").joinpath("templates/style.css").read_bytes()

    async def document(self, request: Request) -> Response:  # noqa: ARG002 - every endpoint has one
        return Response(self._document, media_type=JSON)

    async def page(self, request: Request) -> Response:  # noqa: ARG002 - as above
        headers = {"content-security-policy": PAGE_POLICY}
        return Response(self._page, media_type="text/html; charset=utf-8", headers=headers)

    async def style(self, request: Request) -> Response:  # noqa: ARG002 - as above
        return Response(self._style, media_type="text/css; charset=utf-8")

    def routes(self) -> list[ExpressRoute]:
        return [
            ExpressRoute("GET", "/openapi.json", self.document),
            ExpressRoute("GET", "/docs", self.page),
            ExpressRoute("GET", "/docs/style.css", self.style),
        ]
