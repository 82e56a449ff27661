"""Nobody learns who has an account: the same answer, the same work, whoever is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.attacks.siege import (
    Answer,
    add_user,
    call,
    delete_user,
    deliver,
    new_address,
)
from tests.core.tools import MEDUSAS
from tests.databases import each_database
from tests.server.helpers import Running, rows

from medusa_auth.core.passwords import Argon2id
from medusa_auth.model import Role
from medusa_auth.store.sql.engines import is_postgresql

pytestmark = each_database

CHANGING = {"date", "x-request-id", "set-cookie"}
TABLES = [
    '"user"',
    "invite",
    "auth_session",
    "auth_api_token",
    "auth_change",
    "auth_password_reset",
    "auth_access_token_revoked",
]


class CountedArgon2id(Argon2id):
    """Counts what costs: a look at a hash of another scheme does not."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, passes=1)
        self.runs = 0

    def hash(self, password: str) -> str:
        self.runs += 1
        return super().hash(password)

    def verify(self, password: str, password_hash: str) -> bool:
        self.runs += self.owns(password_hash)
        return super().verify(password, password_hash)


@pytest.fixture
def hashers(monkeypatch: pytest.MonkeyPatch) -> list[CountedArgon2id]:
    """Those of the servers that are started after this."""
    made: list[CountedArgon2id] = []

    def make() -> CountedArgon2id:
        made.append(CountedArgon2id())
        return made[-1]

    monkeypatch.setattr("medusa_auth.server.app.Argon2id", make)
    return made


def started(start: Any) -> Running:
    """A server that has made the hash that nobody has, which costs one."""
    server: Running = start()
    assert call(server, "GET", "/health").status == 200
    return server


def people(server: Running) -> dict[str, str]:
    """Addresses, by what there is of them."""
    deleted = add_user(server)
    delete_user(server, deleted)
    return {
        "known": add_user(server).email,
        "admin": add_user(server, Role.ADMIN).email,
        "unknown": new_address("nobody"),
        "deleted": deleted.email,
        "without a password": add_user(server, password_hash=None).email,
        "with an old hash": add_user(server, password_hash=MEDUSAS).email,
        "with a broken hash": add_user(server, password_hash="broken").email,
    }


def shown(answer: Answer) -> tuple[Any, ...]:
    """All that a client sees, but what is another one with every request."""
    return (
        answer.status,
        answer.content,
        {k: v for k, v in answer.headers.items() if k not in CHANGING},
        "set-cookie" in answer.headers,
    )


def written(server: Running) -> list[Any]:
    return [*(rows(server, f"SELECT * FROM {table}") for table in TABLES), _entries(server)]


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("path", ["/admin/auth", "/admin/auth/token"])
def test_a_failed_login_looks_costs_and_writes_the_same_for_everybody(
    start: Any, hashers: list[CountedArgon2id], path: str
):
    server = started(start)
    looks, costs = {}, {}
    for who, address in people(server).items():
        before, runs = written(server), sum(hasher.runs for hasher in hashers)
        looks[who] = shown(call(server, "POST", path, {"email": address, "password": "a wrong password"}))
        costs[who] = sum(hasher.runs for hasher in hashers) - runs
        assert written(server) == before
    assert len({str(look) for look in looks.values()}) == 1
    assert costs == dict.fromkeys(costs, 1)
    assert looks["known"][0] == 401


@pytest.mark.asvs("6.3.8")
def test_a_request_for_a_new_password_looks_costs_and_writes_the_same_for_everybody(
    start: Any, hashers: list[CountedArgon2id]
):
    server = started(start)
    looks, costs, entries = {}, {}, {}
    for who, address in people(server).items():
        deliver(server)
        before, runs = _entries(server), sum(hasher.runs for hasher in hashers)
        looks[who] = shown(call(server, "POST", "/admin/users/password-token", {"email": address}))
        costs[who] = sum(hasher.runs for hasher in hashers) - runs
        entries[who] = _entries(server) - before
    assert len({str(look) for look in looks.values()}) == 1
    assert looks["known"][:2] == (204, b"")
    assert costs == dict.fromkeys(costs, 0)
    assert entries == dict.fromkeys(entries, 1)


def _entries(server: Running) -> int:
    """How many mails were ever asked for, also those that are crossed out already."""
    if is_postgresql(server.parts.settings.database_url):
        query = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM auth_outbox_id_seq"
    else:
        query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'auth_outbox'"
    ((count,),) = rows(server, query)
    return int(count)


@pytest.mark.asvs("6.3.8")
def test_a_reset_with_a_bad_token_looks_and_costs_the_same_whoever_is_named(start: Any, hashers: list[CountedArgon2id]):
    server = started(start)
    known = people(server)
    runs = sum(hasher.runs for hasher in hashers)
    body = {"token": "x.y.z", "password": "a good enough password"}
    answers = [call(server, "POST", "/admin/users/reset-password", body | {"email": each}) for each in known.values()]
    answers.append(call(server, "POST", "/admin/users/reset-password", body))
    assert len({str(shown(answer)) for answer in answers}) == 1
    assert sum(hasher.runs for hasher in hashers) == runs


def test_no_bad_token_of_an_invite_costs_a_hash(start: Any, hashers: list[CountedArgon2id]):
    server = started(start)
    runs = sum(hasher.runs for hasher in hashers)
    body = {"token": "x.y.z", "user": {"password": "a good enough password"}}
    assert {call(server, "POST", "/admin/invites/accept", body).status for _ in range(5)} == {400}
    assert sum(hasher.runs for hasher in hashers) == runs
