"""Answers in Medusa's shapes."""

from __future__ import annotations

import base64
import hashlib
import math

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response

from medusa_auth.errors import AnswerError, AuthenticationError
from medusa_auth.wire import ErrorRes

__all__ = ["JSON", "TEXT", "error_response", "etagged", "json_response", "text_response"]

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


def json_response(body: msgspec.Struct, status: int = 200) -> Response:
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
    if error.retry_after is not None:
        response.headers["retry-after"] = str(math.ceil(error.retry_after))
    return response


def etagged(response: Response, request_headers: Headers) -> Response:
    """`response` with Express's weak ETag, or 304 without a body if the client has it already (RFC 9110, 13.1.2)."""
    body = bytes(response.body)
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()[:27]
    etag = f'W/"{len(body):x}-{digest}"'
    known = request_headers.get("if-none-match")
    if known is not None and "no-cache" not in request_headers.get("cache-control", ""):
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        if "*" in tags or etag.removeprefix("W/") in tags:
            return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return response
