"""Requests over TLS exactly as they are written: what a client library would put in order is what is asked about."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`headers` are as they came, one of a name and then the next."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int,
    path: str,
    *lines: str,
    method: str = "GET",
    body: object = None,
    source: str = "127.0.0.1",
    host: str = "localhost",
    tls: bool = True,
) -> Answer:
    """The answer on `port` of 127.0.0.1; `lines` are more headers, `source` is whom the request comes from."""
    content = b"" if body is None else json.dumps(body).encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0)) as plain,
        _encrypted(plain) if tls else plain as connection,
    ):
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + content)
        while chunk := connection.recv(65536):
            received += chunk
    return _parsed(received)


def _encrypted(plain: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname="localhost")


def _parsed(received: bytes) -> Answer:
    """Raises ConnectionError when nothing came back."""
    if not received:
        raise ConnectionError("closed without an answer")
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Answer(int(first.split()[1]), [(name.lower(), value.strip()) for name, _, value in pairs], body)
