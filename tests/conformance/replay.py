"""Sends the recorded requests to a server of ours, byte for byte, at the recorded time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance.exchanges import Answer, Exchange, Headers, session_cookie
from tests.server.helpers import Clock, run, serving

from medusa_auth.core.ids import secret_hash
from medusa_auth.model import ApiToken, Role, User
from medusa_auth.server.app import Parts, create_app
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

# As Medusa was set for the recording.
ENVIRON = {
    "JWT_SECRET": "test-jwt-secret",
    "COOKIE_SECRET": "test-cookie-secret",
    "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1",
    "ADMIN_CORS": "http://localhost:7000,http://localhost:7001",
}
CREATED_AT = datetime(2026, 11, 24, 1, 53, 13, 446794, UTC)
USER = User("usr_01M85M3N8B8MBGF9Q3YG3YEACZ", "admin@medusa-test.com", Role.MEMBER, CREATED_AT, CREATED_AT)
# Medusa's hash of `supersecret`.
PASSWORD_HASH = (
    "c2NyeXB0AAEAAAABAAAAAe/z++GphXoejRyNFxmf0S4IC75HE/LF5VSwSzFBbjDrlpJFZYVdkIBSeE4NLu7nzVvldYELkMPmt7CqOX+kSHF+90cf"
    "wqSWEPl9ETKFssCb"
)
API_TOKEN = "admin-api-token-1"

# Here an attacker uses the cookie that the victim had before signing in, and not the one that came with the login.
KEPT_BY_AN_ATTACKER = frozenset({"session.fixation_old_anon_cookie_now_admin"})


def replay(exchanges: list[Exchange], folder: Path) -> dict[str, Answer]:
    """What our server answers to each, by name."""
    with _server(folder) as (url, clock):
        cookies: dict[str, str] = {}
        answers = {}
        for exchange in exchanges:
            clock.now = exchange.moment
            answer = _send(url, exchange, {} if exchange.name in KEPT_BY_AN_ATTACKER else cookies)
            answers[exchange.name] = answer
            _follow(cookies, exchange, answer)
        return answers


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, Clock]]:
    clock = Clock()
    settings = from_env(ENVIRON, data_dir=folder)
    with closing(Parts.of(settings, clock=clock)) as parts:
        run(lambda: parts.records.write(_seed))
    with serving(create_app(settings, clock=clock)) as url:
        yield url, clock


def _seed(tx: Transaction) -> None:
    tx.users.add(USER, PASSWORD_HASH)
    tx.api_tokens.add(ApiToken("tok_recorded", USER.id, "recorded", CREATED_AT), secret_hash(API_TOKEN))


def _follow(cookies: dict[str, str], exchange: Exchange, answer: Answer) -> None:
    """Where Medusa's session has another id here, a browser would have our cookie in the place of Medusa's."""
    ours = session_cookie(answer.header("set-cookie"))
    if ours is not None:
        for theirs in (exchange.cookie, session_cookie(exchange.answer.header("set-cookie"))):
            if theirs is not None:
                cookies[theirs] = ours


def _send(url: str, exchange: Exchange, cookies: dict[str, str]) -> Answer:
    lines = [f"{exchange.method} {exchange.path} HTTP/1.1", *_lines(exchange.headers, cookies)]
    request = "\r\n".join([*lines, "", ""]).encode("latin-1") + (exchange.body or b"")
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        return _received(connection, bodiless=exchange.method == "HEAD")


def _lines(headers: Headers, cookies: dict[str, str]) -> list[str]:
    lines = []
    for name, value in headers:
        if name == "Cookie":
            for theirs, ours in cookies.items():
                value = value.replace(f"connect.sid={theirs}", f"connect.sid={ours}")  # noqa: PLW2901 - the same header
        lines.append(f"{name}: {value}")
    return lines


def _received(connection: socket.socket, *, bodiless: bool) -> Answer:
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers: Headers = []
        while line := stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers.append((name, value))
        answer = Answer(status, headers, "")
        length = 0 if bodiless else int(answer.header("content-length") or 0)
        return Answer(status, headers, stream.read(length).decode())
