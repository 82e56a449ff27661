"""JSON bodies, read as Medusa's body-parser reads them, with an error in JSON where it sends a page.

Every body under /admin is read before anything else is asked, also one that the route does not use.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from medusa_auth.errors import InvalidRequestError, PayloadTooLargeError, UnsupportedMediaTypeError
from medusa_auth.server.state import header_names

__all__ = ["BODY_ERRORS", "MAX_BODY_BYTES", "read_form", "read_json"]

# Medusa's limit ("100kb"), of what a compressed body inflates to.
MAX_BODY_BYTES = 100 * 1024
# What reading a body may raise, for the OpenAPI document.
BODY_ERRORS = (InvalidRequestError, PayloadTooLargeError, UnsupportedMediaTypeError)
# RFC 9112, section 6.3: a request without one of these has no body.
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
JSON_SPACES = " \t\r\n"
# Medusa takes UTF-7 as well, which nobody sends but to get something past a filter.
_CHARSETS = frozenset({"utf-8", "utf-16", "utf-16le", "utf-16be"})
# One pass over it: what stands in a header is not known to be short.
_CHARSET = re.compile(r';[ \t]*charset=(?:"([^"]*)"|([^ \t;]*))', re.IGNORECASE)
_WBITS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


async def read_json(request: Request) -> Any:
    """The body's object or array; an empty object where there is no body, or none of the type application/json.

    Raises InvalidRequestError, PayloadTooLargeError, UnsupportedMediaTypeError.
    """
    if _BODY_HEADERS.isdisjoint(header_names(request.scope)):
        return {}
    if _media_type(request) != "application/json":
        return {}
    charset = _charset(request)
    text = _text(await _inflated(request), charset)
    return _parsed(text) if text else {}


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, of each the last value. Raises as `read_json`."""
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise UnsupportedMediaTypeError("A form is needed.")
    body = await _received(request, _Plain())
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise InvalidRequestError("The form is not valid.") from None


def _media_type(request: Request) -> str:
    """Without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _charset(request: Request) -> str:
    match = _CHARSET.search(request.headers.get("content-type", ""))
    charset = "utf-8" if match is None else (match[1] or match[2] or "").lower()
    if charset not in _CHARSETS:
        raise UnsupportedMediaTypeError("The body's charset is not supported: UTF-8 is.")
    return charset


async def _inflated(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "").lower() or "identity"
    if encoding == "identity":
        return await _received(request, _Plain())
    if encoding not in _WBITS:
        raise UnsupportedMediaTypeError("The body's encoding is not supported: gzip and deflate are.")
    try:
        return await _received(request, _Inflating(_WBITS[encoding]))
    except zlib.error:
        raise InvalidRequestError(f"The body is not valid {encoding}.") from None


async def _received(request: Request, decoder: _Plain | _Inflating) -> bytes:
    """The whole body, decoded; as soon as it is known to be too long, it is refused."""
    length = request.headers.get("content-length", "")
    if isinstance(decoder, _Plain) and length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise PayloadTooLargeError
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += decoder.feed(chunk, MAX_BODY_BYTES + 1 - len(body))
            if len(body) > MAX_BODY_BYTES:
                raise PayloadTooLargeError
        decoder.end()
    except ClientDisconnect:
        raise InvalidRequestError("The request was cut off.") from None
    return bytes(body)


class _Plain:
    def end(self) -> None:
        pass

    def feed(self, chunk: bytes, at_most: int) -> bytes:
        return chunk[:at_most]


class _Inflating:
    def __init__(self, wbits: int) -> None:
        self._inflater = zlib.decompressobj(wbits)

    def feed(self, chunk: bytes, at_most: int) -> bytes:
        return self._inflater.decompress(chunk, at_most)

    def end(self) -> None:
        if not self._inflater.eof or self._inflater.unused_data:
            raise zlib.error


def _text(body: bytes, charset: str) -> str:
    if charset == "utf-16" and not body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-16le"
    return body.decode(charset, "replace").removeprefix("\ufeff")


def _parsed(text: str) -> Any:
    """As body-parser's strict mode: an object or an array, and nothing that JSON does not know."""
    stripped = text.lstrip(JSON_SPACES)
    if not stripped.startswith(("{", "[")):
        raise InvalidRequestError("The body is not valid JSON: an object is needed.")
    try:
        return _decode(stripped)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body is not valid JSON.") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


# Python's own decoder, for it takes half a surrogate pair as JavaScript does; NaN and Infinity are not JSON.
_decode: Callable[[str], Any] = json.JSONDecoder(parse_constant=_refuse).decode
