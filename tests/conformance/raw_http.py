"""HTTP/1.1 by hand: a request is sent byte for byte, and an answer is read without forgiving anything."""

from __future__ import annotations

import re
import socket
from typing import BinaryIO

from tests.conformance.exchanges import Answer, Exchange, Headers

TIMEOUT_SECONDS = 10
# RFC 9112, section 6.3: these have no body, whatever their headers say.
BODILESS = frozenset({204, 304})


def request_bytes(exchange: Exchange, headers: Headers) -> bytes:
    """The request of `exchange` with `headers`: nothing is added, reordered or encoded."""
    lines = [f"{exchange.method} {exchange.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + exchange.body


def send(url: str, request: bytes, *, method: str) -> Answer:
    """The answer to `request`, after which nothing more came."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            answer = _read(stream, method)
            connection.shutdown(socket.SHUT_WR)
            assert stream.read() == b"", "more was sent than the answer said"
        return answer


def _read(stream: BinaryIO, method: str) -> Answer:
    status_line = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n", stream.readline())
    assert status_line
    answer = Answer(int(status_line[1]), _headers(stream), "")
    assert answer.header("transfer-encoding") is None
    if method == "HEAD" or answer.status in BODILESS:
        return answer
    length = answer.header("content-length")
    assert length is not None, "the length of the body is not known"
    body = stream.read(int(length))
    assert len(body) == int(length), "the body was cut off"
    return Answer(answer.status, answer.headers, body.decode())


def _headers(stream: BinaryIO) -> Headers:
    headers: Headers = []
    while (line := stream.readline().decode("latin-1")) != "\r\n":
        name, colon, value = line.removesuffix("\r\n").partition(": ")
        assert colon, line
        headers.append((name, value))
    return headers
