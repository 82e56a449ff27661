"""What is remembered, and how exactly it is forgotten."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import anyio
import pytest
from tests.core.house import EMAIL, PASSWORD, House
from tests.core.tools import CountingRecords

from medusa_auth.core.identities import Credential
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Method, User
from medusa_auth.store.sql.records import SqlRecords

pytestmark = pytest.mark.anyio


@pytest.fixture
def records(house: House) -> CountingRecords:
    return CountingRecords(house.records)


async def _delete(house: House, user: User) -> None:
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))


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


async def test_many_who_ask_at_once_ask_the_store_once(house: House, records: CountingRecords):
    await house.add_user()
    identities, session_id = house.identities(records=records), await house.sign_in()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(house.check, identities, session_id)
    assert records.reads == 1


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
