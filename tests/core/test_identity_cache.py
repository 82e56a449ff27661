"""What is remembered of a credential, for how long, and how exactly it is forgotten."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Collection
from datetime import timedelta

import anyio
import pytest
from tests.core.house import EMAIL, PASSWORD, House
from tests.core.tools import CountingRecords, run_program

from medusa_auth.core import identities as identities_module
from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.identities import Credential
from medusa_auth.errors import AuthenticationError, UnavailableError
from medusa_auth.model import Method, User
from medusa_auth.store.base import Changes
from medusa_auth.store.sql.records import SqlRecords

pytestmark = pytest.mark.anyio

# What a command line does in another process, with our own code.
DELETE_USER = """
import sys, anyio
from datetime import datetime, timedelta, UTC
from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.users import Users
from medusa_auth.store.sql.records import SqlRecords

async def main():
    records = SqlRecords(sys.argv[1])
    users = Users(AccessTokens(["k" * 32], Claims("user_id", {"domain": "admin"}), timedelta(hours=24)))
    await records.write(lambda tx: users.delete(tx, users.find(tx, sys.argv[2]), datetime.fromisoformat(sys.argv[3])))
    records.close()

anyio.run(main)
"""


class Moody:
    """Changes that are heard, or not, or of which some were missed, which is told once."""

    delay = 0.0

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.heard = True
        self.missed = False

    def poll(self) -> Collection[str] | None:
        if not self.heard:
            raise UnavailableError
        news = self._changes.poll()
        missed, self.missed = self.missed, False
        return None if missed else news

    def close(self) -> None:
        self._changes.close()


async def _delete(house: House, user: User) -> None:
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))


async def test_of_every_kind_a_second_check_asks_the_store_nothing(house: House, records: CountingRecords):
    user = await house.add_user()
    identities = house.identities(records=records)
    for credential in await house.credentials():
        records.reads = 0
        first = await identities.check(credential, house.now)
        assert records.reads == 1
        assert await identities.check(credential, house.now) is first
        assert records.reads == 1
        factors = () if credential.method is Method.API_TOKEN else ("password",)
        assert (first.user, first.method, first.factors) == (user, credential.method, factors)


async def test_a_refusal_is_not_remembered(house: House, records: CountingRecords):
    await house.add_user()
    identities = house.identities(records=records)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            await house.check(identities, "never was")
    assert records.reads == 2
    assert len(identities._cache._known) == 0


async def test_the_last_use_is_asked_for_again_after_a_minute(house: House, records: CountingRecords):
    await house.add_user()
    identities, session_id = house.identities(records=records), await house.sign_in()
    await house.check(identities, session_id)
    house.now += timedelta(seconds=59)
    await house.check(identities, session_id)
    assert records.reads == 1
    house.now += timedelta(seconds=1)
    await house.check(identities, session_id)
    assert records.reads == 2


async def test_a_remembered_token_ends_when_its_time_does(house: House):
    await house.add_user()
    identities = house.identities()
    token = Credential(Method.ACCESS_TOKEN, await house.login.issue_token(EMAIL, PASSWORD, house.now))
    await identities.check(token, house.now)
    with pytest.raises(AuthenticationError):
        await identities.check(token, house.now + timedelta(hours=24))


async def test_what_is_remembered_is_found_by_no_plain_credential(house: House):
    await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    await house.check(identities, session_id)
    assert all(len(key) == 32 and session_id.encode() not in key for key in identities._cache._known)


@pytest.mark.asvs("7.4.1")
async def test_what_another_connection_ends_is_refused_by_the_next_check(house: House):
    await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    await house.check(identities, session_id)
    other = SqlRecords(house.url)
    await other.write(lambda tx: house.sessions.end(tx, session_id, house.now))
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)
    other.close()


async def test_what_another_process_ends_is_refused_by_the_next_check(house: House):
    user = await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    await house.check(identities, session_id)
    program = (
        "import sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as connection:\n"
        "    connection.execute('DELETE FROM auth_session')\n"
        "    connection.execute('INSERT INTO auth_change (user_id, at) VALUES (?, ?)', sys.argv[2:])\n"
    )
    path = house.folder / "test.db"
    command = [sys.executable, "-c", program, str(path), user.id, "2026-11-24 12:00:00"]
    await anyio.to_thread.run_sync(lambda: subprocess.run(command, check=True))
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)


@pytest.mark.asvs("7.4.1")
@pytest.mark.asvs("7.4.2")
async def test_a_user_whom_our_code_deletes_in_another_process_is_refused_by_the_very_next_check(house: House):
    await house.add_user()
    identities, credentials = house.identities(), await house.credentials()
    assert all([await house.is_good(identities, each) for each in credentials])
    run_program(DELETE_USER, house.url, EMAIL, house.now.isoformat())
    assert not any([await house.is_good(identities, each) for each in credentials])


async def test_two_caches_over_two_connections_both_forget(house: House):
    await house.add_user()
    other = SqlRecords(house.url)
    changes = type(house.changes)(house.url)
    both, session_id = (house.identities(), house.identities(records=other, changes=changes)), await house.sign_in()
    for identities in both:
        await house.check(identities, session_id)
    await house.login.sign_out(session_id, None, house.now)
    for identities in both:
        with pytest.raises(AuthenticationError):
            await house.check(identities, session_id)
    changes.close()
    other.close()


async def test_others_are_not_forgotten_with_the_one_who_changed(house: House, records: CountingRecords):
    await house.add_user()
    other = await house.add_user("other@example.com")
    identities, session_id = house.identities(records=records), await house.sign_in()
    await house.check(identities, session_id)
    await _delete(house, other)
    await house.check(identities, session_id)
    assert records.reads == 1


async def test_a_commit_that_ends_nothing_forgets_nobody(house: House, records: CountingRecords):
    await house.add_user()
    identities, session_id = house.identities(records=records), await house.sign_in()
    await house.check(identities, session_id)
    await house.sign_in()
    await house.check(identities, session_id)
    assert records.reads == 1


async def test_what_changes_while_the_store_is_asked_is_not_remembered(house: House, records: CountingRecords):
    user = await house.add_user()
    identities, session_id = house.identities(records=records), await house.sign_in()
    other = SqlRecords(house.url)

    def end_meanwhile() -> None:
        records.on_read = lambda: None
        thread = threading.Thread(
            target=lambda: anyio.run(other.write, lambda tx: house.users.delete(tx, user, house.now))
        )
        thread.start()
        thread.join()

    records.on_read = end_meanwhile
    # It was good when the store was asked, after the check began.
    await house.check(identities, session_id)
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)
    other.close()


async def test_what_is_proven_with_a_key_that_is_replaced_meanwhile_is_not_remembered(
    house: House, records: CountingRecords
):
    user = await house.add_user()
    identities = house.identities(records=records)
    token = await house.records.write(lambda tx: house.access_tokens.issue(tx, user, house.now))
    credential = Credential(Method.ACCESS_TOKEN, token)

    def replace_meanwhile() -> None:
        house.access_tokens.use_keys(["n" * 32])
        identities.forget_everybody()

    records.on_read = replace_meanwhile
    # Its signature was good when the check began.
    await identities.check(credential, house.now)
    records.on_read = lambda: None
    with pytest.raises(AuthenticationError):
        await identities.check(credential, house.now)


async def test_what_was_missed_forgets_everybody(house: House, records: CountingRecords):
    await house.add_user()
    changes = Moody(house.changes)
    identities, session_id = house.identities(records=records, changes=changes), await house.sign_in()
    await house.check(identities, session_id)
    changes.missed = True
    await house.check(identities, session_id)
    assert records.reads == 2
    await house.check(identities, session_id)
    assert records.reads == 2


@pytest.mark.asvs("16.5.3")
async def test_changes_that_fall_silent_empty_the_memory_and_it_fills_again_when_they_are_heard(
    house: House, records: CountingRecords
):
    await house.add_user()
    changes = Moody(house.changes)
    identities, session_id = house.identities(records=records, changes=changes), await house.sign_in()
    await house.check(identities, session_id)
    changes.heard = False
    for _ in range(2):
        await house.check(identities, session_id)
    assert (records.reads, len(identities._cache._known)) == (3, 0)
    changes.heard = True
    for _ in range(2):
        await house.check(identities, session_id)
    assert records.reads == 4


@pytest.mark.asvs("16.5.3")
async def test_what_ends_while_changes_are_silent_is_refused(house: House):
    await house.add_user()
    changes = Moody(house.changes)
    identities, session_id = house.identities(changes=changes), await house.sign_in()
    await house.check(identities, session_id)
    changes.heard = False
    await house.login.sign_out(session_id, None, house.now)
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)


@pytest.mark.parametrize("capacity", [0, 1, 3])
async def test_no_more_are_remembered_than_there_is_room_for(house: House, records: CountingRecords, capacity: int):
    await house.add_user()
    identities = house.identities(capacity, records=records)
    sessions = [await house.sign_in() for _ in range(4)]
    for session_id in sessions:
        await house.check(identities, session_id)
    assert len(identities._cache._known) == capacity
    records.reads = 0
    for session_id in reversed(sessions[4 - capacity :]):
        await house.check(identities, session_id)
    assert records.reads == 0


async def test_the_least_recently_used_is_forgotten_first(house: House, records: CountingRecords):
    await house.add_user()
    identities = house.identities(capacity=2, records=records)
    used, unused, new = [await house.sign_in() for _ in range(3)]
    for session_id in (used, unused, used, new):
        await house.check(identities, session_id)
    records.reads = 0
    await house.check(identities, used)
    await house.check(identities, new)
    assert records.reads == 0
    await house.check(identities, unused)
    assert records.reads == 1


async def test_forgetting_one_user_leaves_room_and_no_remains(house: House):
    user, other = await house.add_user(), await house.add_user("other@example.com")
    identities = house.identities(capacity=3)
    for session_id in [await house.sign_in() for _ in range(3)]:
        await house.check(identities, session_id)
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    api_token, _ = await house.records.write(lambda tx: house.api_tokens.issue(tx, other, "job", house.now))
    await identities.check(Credential(Method.API_TOKEN, api_token), house.now)
    cache = identities._cache
    assert {known.identity.user.id for known in cache._known.values()} == {other.id}
    assert set(cache._named) == {other.id, *(known.identity.credential_id for known in cache._known.values())}


async def test_those_who_are_forgotten_for_want_of_room_leave_no_remains(house: House):
    await house.add_user()
    identities = house.identities(capacity=2)
    for _ in range(10):
        await house.check(identities, await house.sign_in())
    assert len(identities._cache._known) == 2
    assert sorted(len(keys) for keys in identities._cache._named.values()) == [1, 1, 2]


async def test_of_a_user_there_is_one_however_many_credentials_are_remembered(house: House):
    await house.add_user()
    identities = house.identities()
    users = [(await identities.check(credential, house.now)).user for credential in await house.credentials()]
    assert all(user is users[0] for user in users)


async def test_a_token_that_another_program_can_read_is_remembered_for_a_minute(house: House, records: CountingRecords):
    user = await house.add_user()
    house.api_tokens = ApiTokens(readable=True)
    token, _ = await house.records.write(lambda tx: house.api_tokens.issue(tx, user, "job", house.now))
    house.now += timedelta(days=1)
    identities, credential = house.identities(records=records), Credential(Method.API_TOKEN, token)
    for seconds, reads in [(0, 1), (59, 1), (60, 2)]:
        await identities.check(credential, house.now + timedelta(seconds=seconds))
        assert records.reads == reads


async def test_a_proof_that_takes_longer_than_what_is_promised_is_told_to_nobody_who_waits_for_it(
    house: House, records: CountingRecords, monkeypatch: pytest.MonkeyPatch
):
    await house.add_user()
    identities, session_id = house.identities(records=records), await house.sign_in()
    monkeypatch.setattr(identities_module, "PROVEN_WITHIN", 0.05)
    records.on_read = lambda: time.sleep(2 * identities_module.PROVEN_WITHIN)
    outcomes: list[str] = []

    async def check() -> None:
        try:
            await house.check(identities, session_id)
        except UnavailableError as error:
            outcomes.append(f"again after {error.retry_after} s")

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(check)
    assert outcomes == ["again after 1 s"] * 2
    # Nothing was revoked meanwhile, so who asks again need not wait.
    await house.check(identities, session_id)
    assert records.reads == 1
