"""What stands behind nginx in these tests beside real servers of ours."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Upstream:
    """`requests` are the first lines of what came to `address`."""

    address: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def in_medusas_place() -> Iterator[Upstream]:
    """Answers every request with what came: path, headers, and the port of the connection."""
    upstream = Upstream("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            upstream.requests.append(self.requestline)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = [(name.lower(), value) for name, value in self.headers.items()]
            came = {"medusa": True, "path": self.path, "headers": headers, "connection": self.client_address[1]}
            body = json.dumps(came).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        upstream.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield upstream
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def that_breaks_off() -> Iterator[Upstream]:
    """Reads a request and closes the connection without an answer, every time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        upstream = Upstream(f"127.0.0.1:{listening.getsockname()[1]}")

        def run() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # the end of the test
                    return
                with connection:
                    received = connection.recv(65536)
                    upstream.requests.append(received.partition(b"\r\n")[0].decode())

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield upstream
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
