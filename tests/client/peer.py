"""A scripted HTTP server on a real socket, which keeps every request byte for byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

# Instead of an answer: close with RST, or say nothing for as long as the client waits.
RESET = b"reset"
SILENCE = b"silence"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The header of that name, which must not be there twice."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, (name, found)
        return found[0] if found else None


def answer(status: int = 200, body: str | bytes = b"", *headers: str) -> bytes:
    """The bytes of an answer; `headers` are whole lines."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Some Reason", *headers, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode("utf-8") + content


def json(body: str, status: int = 200, *headers: str) -> bytes:
    return answer(status, body, "Content-Type: application/json; charset=utf-8", *headers)


class Peer:
    """Answers by its script, in order; when that is at its end, by `otherwise`."""

    def __init__(self) -> None:
        self.received: list[Request] = []
        self.script: deque[bytes] = deque()
        self.otherwise: Callable[[Request], bytes] = lambda _: answer(418, "the script is at its end")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._connections: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def will(self, *answers: bytes) -> None:
        self.script.extend(answers)

    def wait_for(self, count: int) -> None:
        """Return when `count` requests have come: a client that gives up may be faster than this peer's thread."""
        deadline = time.monotonic() + 5
        while len(self.received) < count:
            assert time.monotonic() < deadline, self.received
            time.sleep(0.001)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in [self._listener, *self._connections]:
            _shut(connection)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while request := _read(stream.readline, stream.read):
                    self.received.append(request)
                    reply = self.script.popleft() if self.script else self.otherwise(request)
                    if reply is SILENCE:
                        stream.read(1)
                    elif reply is RESET:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    else:
                        connection.sendall(reply)
            except OSError:
                return


def _read(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> Request | None:
    start = readline().decode("latin-1").split()
    if len(start) < 3:
        return None
    headers: list[tuple[str, str]] = []
    while line := readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
    return Request(start[0], start[1], headers, read(sum(lengths)))


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
