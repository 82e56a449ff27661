"""Stands between a client and a TCP server, and does what networks do: nothing, for a while, or at all."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from enum import Enum, auto

CHUNK = 65536
# SO_LINGER on, for 0 s: what is closed is reset.
ABORT = struct.pack("ii", 1, 0)


class How(Enum):
    """What becomes of what is sent."""

    PASS = auto()
    SLOW = auto()
    # What the server sends arrives byte by byte, each of them in time.
    TRICKLE = auto()
    # Taken, acknowledged by the kernel, and gone, in both directions; for a connection that lost something, for ever.
    BLACK_HOLE = auto()
    # Each connection that stands, and each new one as soon as something is sent over it.
    RESET = auto()
    # Nobody listens; whoever is connected is cut off.
    REFUSE = auto()


class Connection:
    """Two sockets, and a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._ends = (client, server)
        self._first = b""
        self._lost = False
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def said(self, word: bytes) -> bool:
        """Whether the client's first bytes had `word` in them."""
        return word in self._first

    def cut(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            with suppress(OSError):
                # Wakes the thread that reads; closing alone would not.
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK):
                if source is self._ends[0] and len(self._first) < CHUNK:
                    self._first += chunk
                if self._may_pass():
                    self._send(chunk, target)
            if self._lost:
                return
        self.cut()

    def _send(self, chunk: bytes, target: socket.socket) -> None:
        sent = 0
        while target is self._ends[0] and sent < len(chunk) and self._proxy.how_for(self) is How.TRICKLE:
            target.sendall(chunk[sent : sent + 1])
            sent += 1
            time.sleep(self._proxy.pause)
        target.sendall(chunk[sent:])

    def _may_pass(self) -> bool:
        how = self._proxy.how_for(self)
        if how is How.SLOW:
            time.sleep(self._proxy.delay)
        elif how is How.BLACK_HOLE:
            self._lost = True
        elif how is How.RESET:
            raise ConnectionResetError
        return not self._lost


class Proxy:
    """Listens on a free port of the loopback for whoever wants `target`, a port of the loopback."""

    delay = 2.0
    pause = 0.3

    def __init__(self, target: int) -> None:
        self._target = target
        self._how, self._word = How.PASS, b""
        self._connections: list[Connection] = []
        self._listening: socket.socket | None = None
        self.port = 0
        self._listen()

    def switch(self, how: How, word: bytes = b"") -> None:
        """From now on `how`, for the connections whose client began with `word`; all others pass."""
        self._how, self._word = how, word
        if how is How.REFUSE:
            self._stop_listening()
        elif self._listening is None:
            self._listen()
        if how in {How.REFUSE, How.RESET}:
            for connection in self._connections:
                if connection.said(word):
                    connection.cut()

    def lead_to(self, target: int) -> None:
        """Whoever connects from now on; who is connected stays where they are."""
        self._target = target

    def how_for(self, connection: Connection) -> How:
        return self._how if connection.said(self._word) else How.PASS

    def close(self) -> None:
        self._stop_listening()
        for connection in self._connections:
            connection.cut()

    def _listen(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _stop_listening(self) -> None:
        if self._listening is not None:
            with suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                self._connections.append(Connection(self, client, server))
