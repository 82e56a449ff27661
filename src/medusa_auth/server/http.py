"""HTTP/1.1 as uvicorn and httptools speak it, with an end to what a client may send before it says anything."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["MAX_HEAD_BYTES", "BoundedHttpProtocol"]

# Node's limit is 16 KiB, and what it refuses it answers 431; a cookie and a token of ours have less than 1 KiB.
MAX_HEAD_BYTES = 16 * 1024
# From the connection, or the end of the last request, to the end of the next one's headers. Node has 60 s.
HEAD_SECONDS = 20.0
_TOO_LARGE = b"431 Request Header Fields Too Large"
_BAD_REQUEST = b"400 Bad Request"


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long, take too long, or do not name one host."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unparsed_bytes = 0
        self._head_bytes = 0
        self._hosts = 0
        self._in_head = True
        self._refused = False
        self._deadline = self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        # A header is told of when it is whole; one that has no end is counted here.
        self._unparsed_bytes += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._unparsed_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._hosts = 0
        if self._deadline.cancelled():
            self._deadline = self._start_deadline()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        self._hosts += name.lower() == b"host"
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unparsed_bytes = 0
        self._deadline.cancel()
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() == "1.1"):
            # RFC 9112, section 3.2: which page may write depends on the host, so there must be one.
            self._refuse(_BAD_REQUEST)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    def _start_deadline(self) -> asyncio.TimerHandle:
        return self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _refuse(self, status: bytes) -> None:
        if not self._refused and not self.transport.is_closing():
            self._refused = True
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n"
                b"x-content-type-options: nosniff\r\n\r\n"
            )
            self.transport.close()

    def _give_up(self) -> None:
        self.transport.close()
