"""HTTP/1.1 as uvicorn and httptools speak it, with an end to what a client may send, and with one write an answer."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from medusa_auth.server.telling import is_over, told_until

__all__ = ["MAX_HEAD_BYTES", "BoundedHttpProtocol"]

# Node's limit is 16 KiB, and what it refuses it answers 431; a cookie and a token of ours have less than 1 KiB.
MAX_HEAD_BYTES = 16 * 1024
# Of a request after its head, and without its body: the sizes of chunks, their extensions, and trailers. One of 100 KiB
# that comes in chunks of one byte each has 0.5 MiB of them.
MAX_FRAMING_BYTES = 1024 * 1024
# That were sent before the first of them is answered. Browsers and proxies send one.
MAX_PIPELINED = 64
# From the connection, or the first byte of a later request, to the end of its headers (Node: 60 s), and of its body
# (Node: 300 s), which has 100 KiB at most.
HEAD_SECONDS = 20.0
REQUEST_SECONDS = 60.0
# When the server ends, a connection that carries no request has this long for one more: a request that was sent before
# its client could know is answered. Then it is told that nothing comes any more, and closes from its end.
LAST_REQUEST_SECONDS = 0.5
FAREWELL_SECONDS = 0.5
# What was sent while the process stood still is read within this, once it goes on.
READ_SECONDS = 0.05
_TOO_LARGE = b"431 Request Header Fields Too Large"
_BAD_REQUEST = b"400 Bad Request"
_TOO_MANY = b"429 Too Many Requests"
_TOO_LATE = b"503 Service Unavailable\r\nretry-after: 1"


class _RefusedError(Exception):
    """Ends the parsing of what was received."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request is too long, takes too long, or does not name one host.

    Trailers are not looked at (RFC 9110, section 6.5.1): they must not pass for headers, which a proxy has checked.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast(asyncio.Transport, _Joining(transport, self.loop)))
        self._head_bytes = 0
        self._framing_bytes = 0
        self._in_head = True
        self._refused = False
        self._has_asked = False
        self._is_last = False
        # When the request that is being received began; None between requests.
        self._began_at: float | None = self.loop.time()
        # One timer a connection, which looks again when it has to: one for each request would cost more than parsing.
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        # A header is told of when it is whole; one that has no end is counted here.
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._framing_bytes += len(data)
        timer = self.timeout_keep_alive_task
        super().data_received(data)
        if (self._in_head and self._head_bytes > MAX_HEAD_BYTES) or self._framing_bytes > MAX_FRAMING_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._has_asked and self.timeout_keep_alive_task is None and self._is_idle():
            # It was the end of a line, which begins nothing, and has stopped the timer: it goes on as it was.
            ends_at = timer.when() if timer is not None else self.loop.time() + self.timeout_keep_alive
            self.timeout_keep_alive_task = self.loop.call_at(ends_at, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._began_at = self._began_at or self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = self._framing_bytes = 0
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value)
            hosts += name == b"host"
        if size > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        elif hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            # RFC 9112, section 3.2: which page may write depends on the host, so there must be one.
            self._refuse(_BAD_REQUEST)
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(_TOO_MANY)
        if self._refused:
            raise _RefusedError
        super().on_headers_complete()
        # The request has its own; trailers go to these, where nobody looks.
        self.headers = []
        self._has_asked = True
        if self._is_last:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._began_at = None
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked for a while, or nothing was read: a process that stood still has to look first."""
        self.timeout_keep_alive_task = self.loop.call_later(READ_SECONDS, self._say_farewell)

    def shutdown(self) -> None:
        """What is being answered is the last, or else the next request is, if it comes soon."""
        self._is_last = True
        if self._is_idle():
            self.loop.call_later(LAST_REQUEST_SECONDS, self._say_farewell)
        elif self._has_asked:
            self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        """Whether nothing is being received or answered."""
        if not self._has_asked:
            return self._head_bytes == 0
        return self._began_at is None and self.cycle.response_complete

    def _say_farewell(self) -> None:
        """Closed at once, a request on its way would be answered with a reset."""
        if self._is_idle() and not self.transport.is_closing():
            self._refused = True
            self.transport.write_eof()
            self.loop.call_later(FAREWELL_SECONDS, self.transport.close)

    def _look(self) -> None:
        """Give up a request that takes too long, or come back when it would."""
        now = self.loop.time()
        ends_at = HEAD_SECONDS + now
        if self._began_at is not None:
            ends_at = self._began_at + (HEAD_SECONDS if self._in_head else REQUEST_SECONDS)
        if ends_at <= now:
            self.transport.close()
        else:
            self._timer = self.loop.call_at(ends_at, self._look)

    def _refuse(self, status: bytes) -> None:
        if self._refused:
            return
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(_last_answer(status))
            self.transport.close()


def _last_answer(status: bytes) -> bytes:
    """For a connection that is closed then."""
    return (
        b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\nx-content-type-options: nosniff\r\n\r\n"
    )


class _Joining:
    """A transport that writes at once what is written within one turn of the event loop.

    uvicorn writes an answer's head and its body one after the other, and a system call costs more than the answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        # When it is too late to tell it.
        self._until = inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._write_held)
        self._held.append(data)
        # All that is held is of one answer: the next request on its connection begins in another turn.
        self._until = told_until()

    def close(self) -> None:
        self._write_held()
        self._transport.close()

    def write_eof(self) -> None:
        self._write_held()
        self._transport.write_eof()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _write_held(self) -> None:
        if self._held:
            held, self._held = self._held, []
            # Whoever asked may have gone away meanwhile.
            if self._transport.is_closing():
                return
            if not is_over(self._until):
                self._transport.write(b"".join(held))
                return
            # An answer that has been begun can only be broken off.
            if held[0].startswith(b"HTTP/"):
                self._transport.write(_last_answer(_TOO_LATE))
            self._transport.close()
