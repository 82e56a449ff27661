"""Sends the recorded requests, at the recorded time, to a server of ours that has the recorded data.

Where Medusa drew a session id, ours draws the same. So cookies, good, bad and tampered, are sent as they were
recorded, and what comes back can be compared letter for letter.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from tests.conformance.exchanges import (
    ADMIN_CORS,
    COOKIE_SECRET,
    JWT_SECRET,
    Answer,
    Exchange,
    Headers,
    session_cookie,
)
from tests.conformance.raw_http import request_bytes, send
from tests.server.helpers import Clock, run, serving

from medusa_auth.core.ids import secret_hash
from medusa_auth.core.sessions import SESSION_ID_BYTES
from medusa_auth.model import ApiToken, Role, User
from medusa_auth.server.app import Parts, create_app
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

ENVIRON = {
    "JWT_SECRET": JWT_SECRET,
    "COOKIE_SECRET": COOKIE_SECRET,
    "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1",
    "ADMIN_CORS": ADMIN_CORS,
}
CREATED_AT = datetime(2026, 11, 24, 1, 53, 13, 446794, UTC)
USER = User("usr_01M85M3N8B8MBGF9Q3YG3YEACZ", "admin@medusa-test.com", Role.MEMBER, CREATED_AT, CREATED_AT)
# Medusa's hash of `supersecret`.
PASSWORD_HASH = (
    "c2NyeXB0AAEAAAABAAAAAe/z++GphXoejRyNFxmf0S4IC75HE/LF5VSwSzFBbjDrlpJFZYVdkIBSeE4NLu7nzVvldYELkMPmt7CqOX+kSHF+90cf"
    "wqSWEPl9ETKFssCb"
)

# Here an attacker sends the cookie that was there before the victim signed in. Everybody else is a browser.
SENT_BY_AN_ATTACKER = frozenset({"session.fixation_old_anon_cookie_now_admin"})


@dataclass(frozen=True)
class Replayed:
    """An exchange, what we answered, and what had happened before. `sent` is the request's session cookie, as sent."""

    exchange: Exchange
    ours: Answer
    sent: str | None
    cookie_was_replaced: bool
    token_was_signed_out: bool
    # "deletion" of the credential's user, or "reset" of their password.
    ended: str | None = None


@dataclass
class Recorded:
    """Randomness of which the next session id is the recorded one."""

    session_id: bytes | None = None

    def __call__(self, length: int) -> bytes:
        if length != SESSION_ID_BYTES or self.session_id is None:
            return os.urandom(length)
        session_id, self.session_id = self.session_id, None
        return session_id


@dataclass
class Replay:
    """A server of ours under way through the recording."""

    url: str
    parts: Parts
    clock: Clock
    random: Recorded
    # What a browser has here in the place of a cookie that it has from Medusa: ours has a new id at every login.
    replaced: dict[str, str] = field(default_factory=dict)
    signed_out: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    updated_at: datetime = CREATED_AT

    def __call__(self, exchange: Exchange) -> Replayed:
        self.clock.now = exchange.moment
        self._follow_the_data(exchange)
        self.random.session_id = self._new_session_id(exchange)
        replaced = {} if exchange.name in SENT_BY_AN_ATTACKER else self.replaced
        headers = _with_cookies(exchange.headers, replaced)
        ours = send(self.url, request_bytes(exchange, headers), method=exchange.method)
        replayed = Replayed(
            exchange,
            ours,
            sent=replaced.get(exchange.cookie or "", exchange.cookie),
            cookie_was_replaced=exchange.cookie in self.replaced,
            token_was_signed_out=exchange.bearer in self.signed_out,
        )
        self._remember(replayed)
        return replayed

    def _follow_the_data(self, exchange: Exchange) -> None:
        """While Medusa was recorded, its user got an API token, which moved `updated_at`: so it does here."""
        user = exchange.user
        if user is None or (moment := datetime.fromisoformat(user["updated_at"])) <= self.updated_at:
            return
        self.updated_at = moment
        token = ApiToken("tok_recorded", USER.id, "recorded", moment)

        def change(tx: Transaction) -> None:
            found = tx.users.get_with_password(USER.email)
            assert found
            assert found[1]
            tx.users.set_password_hash(USER.id, found[1], moment)
            tx.api_tokens.add(token, secret_hash(user["api_token"]))
            tx.announce(USER.id, moment)

        run(lambda: self.parts.records.write(change))

    def _new_session_id(self, exchange: Exchange) -> bytes | None:
        """The id that Medusa drew, if it drew one."""
        cookie = session_cookie(exchange.answer.header("set-cookie"))
        if cookie is None or cookie in self.seen:
            return None
        self.seen.add(cookie)
        session_id, _, _ = unquote(cookie).removeprefix("s:").partition(".")
        return base64.urlsafe_b64decode(session_id)

    def _remember(self, replayed: Replayed) -> None:
        exchange = replayed.exchange
        ours = session_cookie(replayed.ours.header("set-cookie"))
        theirs = session_cookie(exchange.answer.header("set-cookie")) or exchange.cookie
        if ours and theirs and ours != theirs:
            self.replaced[theirs] = ours
        if exchange.method == "DELETE" and replayed.ours.status == 200 and exchange.bearer:
            self.signed_out.add(exchange.bearer)


def replay(exchanges: list[Exchange], folder: Path, database: dict[str, str]) -> list[Replayed]:
    """All of them, in their order, answered by one server."""
    with _server(folder, database) as replay:
        return [replay(exchange) for exchange in exchanges]


@contextmanager
def _server(folder: Path, database: dict[str, str]) -> Iterator[Replay]:
    clock, random = Clock(CREATED_AT), Recorded()
    settings = from_env(ENVIRON | database, data_dir=folder)
    with closing(Parts.of(settings, clock=clock)) as parts:
        run(lambda: parts.records.write(lambda tx: tx.users.add(USER, PASSWORD_HASH)))
        with serving(create_app(settings, clock=clock, random=random)) as url:
            yield Replay(url, parts, clock, random)


def _with_cookies(headers: Headers, replaced: dict[str, str]) -> Headers:
    return [(name, _replace(value, replaced) if name.lower() == "cookie" else value) for name, value in headers]


def _replace(header: str, replaced: dict[str, str]) -> str:
    return re.sub(r"(?<==)[^;]*", lambda value: replaced.get(value[0], value[0]), header)
