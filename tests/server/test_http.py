"""Clients that send too much, or too slowly, before they ask for anything."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import httpx2
import pytest
from tests.server.conftest import Start
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


LIVE = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST /admin/auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"


def test_what_is_sent_ahead_without_end_is_refused_unread(server: Running):
    answers = _send(server, LIVE * 5_000)
    assert b"HTTP/1.1 429 " in answers
    assert answers.count(b"HTTP/1.1 200 ") <= http.MAX_PIPELINED
    assert server.client().get("/health").status_code == 200


def test_as_much_as_may_be_sent_ahead_is_answered(server: Running):
    answers = _send(server, LIVE * http.MAX_PIPELINED + LAST)
    assert answers.count(b"HTTP/1.1 200 ") == http.MAX_PIPELINED
    assert answers.count(b"HTTP/1.1 404 ") == 1


def test_trailers_do_not_pass_for_headers(start: Start):
    server = start(MEDUSA_AUTH_TRUSTED_PROXIES="127.0.0.1")
    body = b"%x\r\n%s\r\n0\r\n" % (len(json.dumps(LOGIN)), json.dumps(LOGIN).encode())
    forged = b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.66\r\n"
    connection = b"Connection: close\r\n\r\n"
    answer = _send(server, CHUNKED + connection + body + forged + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"secure" not in answer.lower()
    assert b"secure" in _send(server, CHUNKED + forged + connection + body + b"\r\n").lower()


@pytest.mark.parametrize(
    "rest",
    [b"2\r\n{}\r\n0\r\n" + b"a:b\r\n" * 300_000, b"2\r\n{}\r\n0\r\na:" + b"b" * 1_500_000, b"2;" + b"a" * 1_500_000],
    ids=["trailers", "a trailer", "a chunk's extension"],
)
def test_what_comes_beside_a_body_has_an_end(server: Running, rest: bytes):
    answer = _send(server, CHUNKED + b"\r\n" + rest)
    assert b"HTTP/1.1 200" not in answer
    assert server.client().get("/health").status_code == 200


def test_a_body_may_come_in_chunks_of_one_byte(server: Running):
    body = json.dumps(LOGIN).encode() + b" " * 90_000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    answer = _send(server, CHUNKED + b"Connection: close\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_an_end_of_line_keeps_no_connection_open(server: Running, monkeypatch: pytest.MonkeyPatch):
    soon = property(lambda _: 0.2, lambda *_: None)
    monkeypatch.setattr(http.BoundedHttpProtocol, "timeout_keep_alive", soon, raising=False)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        connection.sendall(LIVE)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        # Within the time, again and again, and long after it.
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                connection.sendall(b"\r\n")
                time.sleep(0.1)
                if is_closed(connection):
                    break
        assert is_closed(connection)
