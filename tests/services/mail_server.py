"""A mail server for tests, over real SMTP: it keeps what it is given, or does not take it, as it is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.services.certificates import self_signed_certificate
from tests.services.process import free_port

PATIENCE = 15.0
PAUSE = 0.02
OK = "250 OK"


@dataclass
class MailServer:
    """`answers` are given to the recipients of the next mails, one each; after them, all are `otherwise`.

    What is in `received` was read to its end, whatever was answered then.
    """

    port: int
    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0
    answers: list[str] = field(default_factory=list)
    answers_to_data: list[str] = field(default_factory=list)
    seconds_of_an_answer: float = 0.0
    otherwise: str = OK

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def wait_for(self, count: int) -> list[EmailMessage]:
        """All mails, as soon as there are `count`."""
        wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        await asyncio.sleep(self.seconds_of_an_answer)
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.seconds_of_an_answer)
        answer = self.answers.pop(0) if self.answers else self.otherwise
        if answer == OK:
            envelope.rcpt_tos.append(address)
        else:
            self.refused += 1
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.envelopes.append(envelope)
        self.received.append(parsed(content))
        return self.answers_to_data.pop(0) if self.answers_to_data else OK

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@contextmanager
def mail_server(
    server: MailServer | None = None, *, tls: ssl.SSLContext | None = None, **smtp: Any
) -> Iterator[MailServer]:
    """Runs `server` (default: a new one on a free port) in a thread; `tls` is for TLS from the start."""
    server = server or MailServer(free_port())
    options: dict[str, Any] = {"enable_SMTPUTF8": True, "authenticator": server.authenticate} | smtp
    controller = Controller(server, "127.0.0.1", server.port, ssl_context=tls, **options)
    controller.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_hang_up(controller), controller.loop).result(PATIENCE)
        controller.stop()


async def _hang_up(controller: Controller) -> None:
    """Closes what is open: aiosmtpd forgets who is connecting, or is on the way to TLS, as it stops."""
    assert isinstance(controller.server, asyncio.Server)
    for listening in controller.server.sockets:
        controller.loop.remove_reader(listening.fileno())
    await asyncio.sleep(0)  # who was let in just now has a transport then
    for transport in list(controller.loop._transports.values()):  # type: ignore[attr-defined]
        transport.abort()
    await asyncio.sleep(0)  # and closed they are at the loop's next turn


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def parsed(content: bytes) -> EmailMessage:
    """A mail, read as a mail program reads it."""
    return message_from_bytes(content, policy=SMTPUTF8)


def wait_for(ready: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Comes back when `ready` says so; fails after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not ready():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(PAUSE)


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate for 127.0.0.1 that nobody trusts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(self_signed_certificate(folder))
    return context
