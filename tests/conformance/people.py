"""Sends the recorded requests about users, invites and resets.

Only a part of what Medusa was sent is recorded: what the missing requests had changed is put into the store before an
answer needs it. Ids and tokens that Medusa drew have another value here, and are exchanged on the way to the server and
back, so that the rest can be compared letter for letter.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.conformance.bodies import decoded, encoded_token
from tests.conformance.compare import express_etag
from tests.conformance.exchanges import Answer, Exchange, session_cookie
from tests.conformance.replay import CREATED_AT, ENVIRON, PASSWORD_HASH, USER, Recorded, Replay, Replayed
from tests.server.helpers import Clock, run, serving

from medusa_auth.core.ids import secret_hash
from medusa_auth.core.team import NewUser
from medusa_auth.model import Role, Session, User
from medusa_auth.server.app import Parts, create_app
from medusa_auth.server.cookies import unsign
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

# Medusa has neither roles that mean something, nor rules for passwords.
AS_MEDUSA = {"MEDUSA_AUTH_ROLES": "off", "MEDUSA_AUTH_PASSWORD_RULES": "off"}
MAIL_SECONDS = 10
# Whose session it is, where the login was not recorded; all others are the first administrator's.
OWNERS = {"users.delete.self_do": "usr_01M85MCES944XYMK4WJR52D4HH"}
# Times are told to the millisecond, moments of requests to the second.
SECOND = timedelta(seconds=1)

Json = dict[str, Any]


@dataclass
class People(Replay):
    """The server under way through the recording."""

    exchanges: list[Exchange] = field(default_factory=list)
    # What Medusa drew, and what was drawn here in its place: ids, and tokens in links.
    drawn: dict[str, str] = field(default_factory=dict)
    # Session ids with their user's, and the users who were deleted or have a new password.
    owners: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    users: set[str] = field(default_factory=lambda: {USER.id})
    mails: set[Path] = field(default_factory=set)
    newest_token: str = ""

    def __call__(self, exchange: Exchange) -> Replayed:
        self.clock.now = self._moment(exchange)
        self._draw_reset_token(exchange)
        ended = self._ended(exchange)
        replayed = super().__call__(self._translated(exchange))
        self._learn(exchange, replayed.ours)
        return replace(replayed, exchange=exchange, ours=self._translated_back(replayed.ours), ended=ended)

    def _follow_the_data(self, exchange: Exchange) -> None:
        self.clock.now = self._moment(exchange)
        run(lambda: self.parts.records.write(partial(self._seed, exchange)))

    def _moment(self, exchange: Exchange) -> datetime:
        """When it was answered: to the millisecond where a change tells, else to the second."""
        about = exchange.path.partition("?")[0]
        if exchange.method == "POST" and about.startswith("/admin/users"):
            times = [_time(user["updated_at"]) for user in _users(exchange)]
        else:
            everybody = [user for each in self.exchanges for user in _users(each) if user["deleted_at"]]
            gone = about.rpartition("/")[2] if exchange.method == "DELETE" else None
            times = [_time(user["deleted_at"]) for user in everybody if self._name(user["id"]) == gone]
        exact = [moment for moment in times if abs(moment - exchange.moment) < 2 * SECOND]
        return exact[0] if exact else exchange.moment

    def _name(self, drawn: str) -> str:
        """What is called `drawn` by Medusa, here."""
        return self.drawn.get(drawn, drawn)

    # What was there before the request

    def _seed(self, exchange: Exchange, tx: Transaction) -> None:
        for user in self._users_before(exchange):
            self._seed_user(tx, user)
        winner = re.search('"message":"User with email ([^ ]+) already exists', exchange.answer.body)
        if winner and exchange.path == "/admin/users":
            # Of two requests at once only the one that lost was recorded.
            self.parts.users.create(tx, email=winner[1], password_hash=None, now=self.clock.now)
        self._seed_session(tx, exchange)

    def _seed_session(self, tx: Transaction, exchange: Exchange) -> None:
        session_id = _session_id(exchange.cookie)
        alone = exchange.bearer is None and exchange.header("x-medusa-access-token") is None
        if session_id is None or session_id in self.owners or exchange.answer.status == 401 or not alone:
            return
        owner = self.owners[session_id] = OWNERS.get(exchange.name, USER.id)
        now = self.clock.now
        session = Session(secret_hash(session_id), self._name(owner), now, now, now + timedelta(hours=10))
        tx.sessions.add(session, session_id)

    def _users_before(self, exchange: Exchange) -> Iterator[Json]:
        """All who were there, as the answers before and, where it changes nothing, this one show them."""
        index = self.exchanges.index(self._original(exchange))
        made_later = {user["id"] for each in self.exchanges[index:] if _makes_user(each) for user in _users(each)}
        known: dict[str, Json] = {}
        for each in [*reversed(self.exchanges[index:]), *self.exchanges[:index]]:
            known |= {user["id"]: user for user in _users(each)}
        sent = json.loads(exchange.body) if exchange.body and _changes_user(exchange) else {}
        for user in [] if _makes_user(exchange) else _users(self._original(exchange)):
            before = known.get(user["id"], user)
            kept = {key: value for key, value in user.items() if key not in sent}
            known[user["id"]] = {**before, **kept, "updated_at": before["updated_at"]} if sent else user
        invited = {claims_of(_link_token(each) or "").get("user_email") for each in self.exchanges}
        shown = {user["id"] for user in _users(self._original(exchange))}
        for user in known.values():
            is_made_by_another = user["id"] in made_later or user["email"] in invited
            if not is_made_by_another and (user["id"] in shown or _time(user["created_at"]) <= self.clock.now):
                yield user

    def _original(self, exchange: Exchange) -> Exchange:
        return next(each for each in self.exchanges if each.name == exchange.name)

    def _seed_user(self, tx: Transaction, recorded: Json) -> None:
        user = User(
            self._name(recorded["id"]),
            recorded["email"],
            Role(recorded["role"] or "member"),
            _time(recorded["created_at"]),
            _time(recorded["updated_at"]),
            recorded["first_name"],
            recorded["last_name"],
            recorded["metadata"],
        )
        present = tx.users.get(user.id)
        if user.id not in self.users and recorded["deleted_at"] is None:
            self.users.add(user.id)
            tx.users.add(user, None)
        elif present is not None and present != user and user.updated_at <= self.clock.now + SECOND:
            tx.users.update(user)
            tx.announce(user.id, self.clock.now)
        token = recorded["api_token"]
        if token and tx.users.get(user.id) and tx.api_tokens.get_by_hash(secret_hash(token)) is None:
            self.parts.api_tokens.set_chosen(tx, user, token, self.clock.now)

    def _draw_reset_token(self, exchange: Exchange) -> None:
        """A token of ours in the place of one that Medusa made and accepted."""
        token = _link_token(exchange)
        if exchange.path == "/admin/users/reset-password" and exchange.answer.status == 200 and token is not None:
            self.drawn[token] = run(lambda: self.parts.records.write(partial(self._reset_token, exchange)))

    def _reset_token(self, exchange: Exchange, tx: Transaction) -> str:
        return self.parts.resets.issue(tx, self.parts.users.find(tx, _users(exchange)[0]["email"]), self.clock.now)

    def _ended(self, exchange: Exchange) -> str | None:
        """What had ended the credential's sessions and tokens: the user was deleted, or has a new password."""
        owner = self.owners.get(_session_id(exchange.cookie) or "")
        if exchange.bearer:
            owner = claims_of(exchange.bearer).get("user_id")
        return self.ended.get(owner or "")

    # What was drawn

    def _translated(self, exchange: Exchange) -> Exchange:
        path, body = exchange.path, exchange.body.decode("utf-8", "surrogateescape")
        for theirs, ours in self.drawn.items():
            path, body = path.replace(theirs, ours), body.replace(theirs, ours)
        content = body.encode("utf-8", "surrogateescape")
        headers = [
            (name, str(len(content)) if name == "Content-Length" and content != exchange.body else value)
            for name, value in exchange.headers
        ]
        return replace(exchange, path=path, headers=headers, body=content)

    def _translated_back(self, answer: Answer) -> Answer:
        body = answer.body
        if body.startswith('{"access_token":'):
            claims = claims_of(json.loads(body)["access_token"])
            recorded = {ours: theirs for theirs, ours in self.drawn.items()}
            claims["user_id"] = recorded.get(claims["user_id"], claims["user_id"])
            body = json.dumps({"access_token": encoded_token(claims)}, separators=(",", ":"))
        for theirs, ours in self.drawn.items():
            body = body.replace(ours, theirs)
        if answer.header("etag") == express_etag(answer.body):
            headers = [(name, express_etag(body) if name == "etag" else value) for name, value in answer.headers]
            return replace(answer, headers=headers, body=body)
        return replace(answer, body=body)

    def _learn(self, exchange: Exchange, ours: Answer) -> None:
        original = self._original(exchange)
        if ours.status == 200:
            self._learn_ids(original, ours)
            self._learn_ends(original)
        cookie = session_cookie(original.answer.header("set-cookie"))
        if cookie and _users(original):
            self.owners[_session_id(cookie) or ""] = _users(original)[0]["id"]
        if exchange.path == "/admin/invites/accept" and original.answer.status == 200 and ours.status == 400:
            self._accept_with_the_newest_token(original)

    def _learn_ids(self, exchange: Exchange, ours: Answer) -> None:
        if _makes_user(exchange):
            made = json.loads(ours.body)["user"]["id"]
            self.drawn[_users(exchange)[0]["id"]] = made
            self.users.add(made)
        if exchange.path.startswith("/admin/invites") and exchange.method == "POST" and "accept" not in exchange.path:
            self.newest_token = self._mailed_token()
            if exchange.body:
                self._learn_invite(json.loads(exchange.body)["user"])

    def _learn_ends(self, exchange: Exchange) -> None:
        if exchange.method == "DELETE" and exchange.path.startswith("/admin/users/"):
            self.ended[exchange.path.rpartition("/")[2]] = "deletion"
        if exchange.path == "/admin/users/reset-password":
            self.ended[_users(exchange)[0]["id"]] = "reset"

    def _learn_invite(self, address: str) -> None:
        """Its id, and the token of its first mail: each token that Medusa made for it is taken for this one."""
        theirs = next((invite for invite in _invites(self.exchanges) if invite["user_email"] == address), None)
        if theirs is None or theirs["id"] in self.drawn:
            return
        invites = run(lambda: self.parts.records.read(lambda tx: tx.invites.list()))
        self.drawn[theirs["id"]] = next(each.id for each in invites if each.user_email == address.lower())
        for each in self.exchanges:
            sent = _link_token(each)
            if sent and claims_of(sent).get("invite_id") == theirs["id"] and "wrong_secret" not in each.name:
                self.drawn[sent] = self.newest_token

    def _mailed_token(self) -> str:
        """The token of the mail that goes out now."""
        until = time.monotonic() + MAIL_SECONDS
        while not (news := set((self.parts.settings.data_dir / "mail").glob("*-invite.eml")) - self.mails):
            assert time.monotonic() < until, "no mail came"
            run(self.parts.mailer.deliver_due)
        (path,) = news
        self.mails.add(path)
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        found = re.search(r"token=(\S+)", message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        assert found
        return found[1]

    def _accept_with_the_newest_token(self, exchange: Exchange) -> None:
        """So that what follows can be compared, too."""
        sent = json.loads(exchange.body)["user"]
        joined = next(
            user
            for each in self.exchanges
            for user in _users(each)
            if user["email"] == claims_of(_link_token(exchange) or "")["user_email"]
        )
        new = NewUser(sent["password"], sent["first_name"], sent["last_name"])
        moment = _time(joined["created_at"])
        self.drawn[joined["id"]] = run(lambda: self.parts.team.accept_invite(self.newest_token, new, moment)).id
        self.users.add(self.drawn[joined["id"]])


def replay_people(exchanges: list[Exchange], folder: Path, database: dict[str, str]) -> list[Replayed]:
    """All of them, in their order, answered by one server."""
    with _server(exchanges, folder, database) as people:
        return [people(exchange) for exchange in exchanges]


@contextmanager
def _server(exchanges: list[Exchange], folder: Path, database: dict[str, str]) -> Iterator[People]:
    clock, random = Clock(CREATED_AT), Recorded()
    settings = from_env(ENVIRON | AS_MEDUSA | database, data_dir=folder)
    with closing(Parts.of(settings, clock=clock)) as parts:
        run(lambda: parts.records.write(lambda tx: tx.users.add(USER, PASSWORD_HASH)))
        with serving(create_app(settings, clock=clock, random=random)) as url:
            yield People(url, parts, clock, random, exchanges=exchanges)


def claims_of(token: str) -> Json:
    """The claims of a JWT, whoever signed it; empty for anything else."""
    parts = token.split(".")
    try:
        claims: Json = json.loads(decoded(parts[1])) if len(parts) == 3 else {}
    except ValueError:
        return {}
    return claims


def _users(exchange: Exchange) -> list[Json]:
    """All users in Medusa's answer, as far as it shows all of them."""
    if not exchange.answer.body.startswith(('{"user":', '{"users":')):
        return []
    body = json.loads(exchange.answer.body)
    users: list[Json] = body["users"] if "users" in body else [body["user"]]
    return [user for user in users if "updated_at" in user and "metadata" in user]


def _makes_user(exchange: Exchange) -> bool:
    return (exchange.method, exchange.path) == ("POST", "/admin/users") and exchange.answer.status == 200


def _changes_user(exchange: Exchange) -> bool:
    return exchange.method == "POST" and re.fullmatch("/admin/users/usr_[0-9A-Z]+", exchange.path) is not None


def _invites(exchanges: list[Exchange]) -> Iterator[Json]:
    for each in exchanges:
        if each.answer.body.startswith('{"invites":'):
            yield from json.loads(each.answer.body)["invites"]


def _session_id(cookie: str | None) -> str | None:
    return unsign(unquote(cookie or "").removeprefix("s:"), [ENVIRON["COOKIE_SECRET"].encode()])


def _link_token(exchange: Exchange) -> str | None:
    """The token in the body of a reset or an acceptance."""
    found = re.search(rb'"token":"([^"]+)"', exchange.body)
    return found[1].decode() if found else None


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)
