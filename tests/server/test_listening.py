"""The end of a socket that listens."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from medusa_auth.server.listening import accepted, answer_no_new_clients

# Not every machine has IPv6.
LOOPBACKS: dict[str, tuple[socket.AddressFamily, str]] = {"IPv4": (socket.AF_INET, "127.0.0.1")}
if Path("/proc/net/if_inet6").exists():
    LOOPBACKS["IPv6"] = (socket.AF_INET6, "::1")


@pytest.fixture(params=LOOPBACKS.values(), ids=[*LOOPBACKS])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family, host = request.param
    with socket.create_server((host, 0), family=family) as server:
        yield server


def connect(listening: socket.socket) -> socket.socket:
    return socket.create_connection(listening.getsockname()[:2], 20)


def test_who_is_in_the_queue_when_new_clients_are_answered_no_more_is_accepted_and_served(listening: socket.socket):
    with connect(listening) as one, connect(listening) as two:
        answer_no_new_clients(listening)
        last = list(accepted(listening))
        listening.close()
        assert len(last) == 2
        for server_side in last:
            with closing(server_side):
                server_side.sendall(b"answer")
        assert (one.recv(9), two.recv(9)) == (b"answer", b"answer")


def test_who_begins_to_connect_is_not_in_the_queue_and_is_refused_when_the_socket_is_closed(listening: socket.socket):
    answer_no_new_clients(listening)
    with socket.socket(listening.family) as waiting:
        waiting.setblocking(False)
        assert waiting.connect_ex(listening.getsockname()) == errno.EINPROGRESS
        assert list(accepted(listening)) == []
        listening.close()
        ended = select.poll()
        ended.register(waiting, select.POLLOUT)
        assert ended.poll(20_000)
        assert waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_a_connection_from_before_goes_on(listening: socket.socket):
    with connect(listening) as client, listening.accept()[0] as server_side:
        answer_no_new_clients(listening)
        client.sendall(b"question")
        assert server_side.recv(9) == b"question"
        server_side.sendall(b"answer")
        assert client.recv(9) == b"answer"


def test_a_socket_that_is_closed_already_is_left_alone(listening: socket.socket):
    listening.close()
    answer_no_new_clients(listening)
