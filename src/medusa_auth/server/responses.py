"""Answers in Medusa's shapes."""

from __future__ import annotations

import base64
import hashlib
import math
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medusa_auth.errors import AnswerError, AuthenticationError
from medusa_auth.server.state import header_names
from medusa_auth.wire import ErrorRes

__all__ = [
    "JSON",
    "TEXT",
    "error_response",
    "json_response",
    "retry_after",
    "tagged_json_response",
    "text_response",
    "unless_known",
]

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


def json_response(body: Any, status: int = 200) -> Response:
    """`body` as JSON."""
    return Response(msgspec.json.encode(body), status, media_type=JSON)


def text_response(body: str, status: int = 200, media_type: str = TEXT) -> Response:
    """`body` as text: Medusa says `OK` and `Unauthorized` so."""
    return Response(body, status, media_type=media_type)


def error_response(error: AnswerError) -> Response:
    """The one answer to an error: Medusa's JSON, but for 401, where Medusa has a bare word."""
    if isinstance(error, AuthenticationError):
        response = text_response(error.message, error.status)
    else:
        body = ErrorRes(error.type, error.message, error.code).encode()
        response = Response(body, error.status, media_type=JSON)
    return retry_after(response, error)


def retry_after(response: Response, error: AnswerError) -> Response:
    """`response`, which says when to come back if `error` does."""
    if error.retry_after is not None:
        response.headers["retry-after"] = str(math.ceil(error.retry_after))
    return response


def tagged_json_response(body: Any) -> Response:
    """`body` as JSON with the weak ETag that Express gives it. It may be sent many times."""
    response = json_response(body)
    content = bytes(response.body)
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()[:27]
    response.headers["etag"] = f'W/"{len(content):x}-{digest}"'
    return response


def unless_known(tagged: Response, request: Request) -> Response:
    """`tagged`, or 304 without a body if the client has it already (RFC 9110, section 13.1.2)."""
    if b"if-none-match" not in header_names(request.scope) or "no-cache" in request.headers.get("cache-control", ""):
        return tagged
    known = request.headers["if-none-match"]
    etag = tagged.headers["etag"]
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return Response(status_code=304, headers={"etag": etag}) if tags & {"*", etag.removeprefix("W/")} else tagged
