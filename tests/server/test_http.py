"""Clients that send too much, or too slowly, before they ask for anything."""

from __future__ import annotations

import contextlib
import socket

import httpx2
import pytest
from tests.server.helpers import LOGIN, Running

from medusa_auth.server import http


def _send(server: Running, data: bytes) -> bytes:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 20_000,
        b"GET /health HTTP/1.1\r\nX: " + b"a" * 20_000,
        b"GET /health HTTP/1.1\r\n" + b"X: a\r\n" * 10_000,
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 17_000 + b"\r\n\r\n",
        b"POST /admin/auth HTTP/1.1\r\nContent-Length: 2\r\nX: " + b"a" * 60_000 + b"\r\n\r\n{}",
    ],
    ids=["path", "header", "headers", "whole", "whole with a body"],
)
def test_a_head_that_is_too_long_is_refused_before_its_end(server: Running, head: bytes):
    answer = _send(server, head)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert server.client().get("/health").status_code == 200


@pytest.mark.asvs("4.2.1")
@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n"])
def test_a_request_names_one_host(server: Running, hosts: bytes):
    assert _send(server, b"GET /health HTTP/1.1\r\n" + hosts + b"\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_head_that_never_ends_is_given_up(server: Running, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.1)
    assert _send(server, b"GET /health HTTP/1.1\r\nX: ") == b""


def test_many_requests_on_one_connection_are_each_within_the_limit(server: Running):
    with httpx2.Client(base_url=server.url, headers={"X": "a" * 10_000}) as client:
        for _ in range(5):
            assert client.post("/admin/auth", json=LOGIN | {"password": "x" * 50_000}).status_code == 401
            assert client.get("/health").status_code == 200


def test_a_body_that_never_ends_is_given_up(server: Running, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.2)
    head = b"POST /admin/auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
    assert _send(server, head + b'{"em') == b""
    assert server.client().get("/health").status_code == 200


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(server: Running):
    head = b"POST /admin/auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head + b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_requests_that_are_sent_at_once_are_answered_in_their_order(server: Running):
    live = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    gone = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = _send(server, live + live + gone).split(b"HTTP/1.1 ")
    assert [answer[:3] for answer in answers] == [b"", b"200", b"200", b"404"]
