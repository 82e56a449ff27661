"""What is remembered of a credential, for how long, and what a store in trouble changes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TypeVar

import anyio
import pytest
from tests.core.house import EMAIL, House
from tests.core.tools import CountingRecords, run_program

from medusa_auth.core.identities import Credential, Identities
from medusa_auth.errors import AuthenticationError, UnavailableError
from medusa_auth.model import Method
from medusa_auth.store.base import Changes, Transaction
from medusa_auth.store.sql.records import SqlRecords

pytestmark = pytest.mark.anyio

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

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


class ReadOnly(CountingRecords):
    """A store that can be read and not written."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        raise UnavailableError


class Down(CountingRecords):
    """A store that answers nothing."""

    async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
        self.reads += 1
        raise UnavailableError


async def test_of_every_kind_a_second_check_asks_the_store_nothing(house: House):
    user = await house.add_user()
    records = CountingRecords(house.records)
    identities = house.identities(records=records)
    for credential in await house.credentials():
        records.reads = 0
        first = await identities.check(credential, house.now)
        assert records.reads == 1
        assert await identities.check(credential, house.now) is first
        assert records.reads == 1
        factors = () if credential.method is Method.API_TOKEN else ("password",)
        assert (first.user, first.method, first.factors) == (user, credential.method, factors)


@pytest.mark.asvs("7.4.1")
@pytest.mark.asvs("7.4.2")
async def test_a_user_whom_our_code_deletes_in_another_process_is_refused_by_the_very_next_check(house: House):
    await house.add_user()
    identities, credentials = house.identities(), await house.credentials()
    assert all([await house.is_good(identities, each) for each in credentials])
    run_program(DELETE_USER, house.url, EMAIL, house.now.isoformat())
    assert not any([await house.is_good(identities, each) for each in credentials])


async def test_what_was_missed_forgets_everybody(house: House):
    await house.add_user()
    records, changes = CountingRecords(house.records), Moody(house.changes)
    identities, session_id = house.identities(records=records, changes=changes), await house.sign_in()
    await house.check(identities, session_id)
    changes.missed = True
    await house.check(identities, session_id)
    assert records.reads == 2
    await house.check(identities, session_id)
    assert records.reads == 2


@pytest.mark.asvs("16.5.3")
async def test_changes_that_fall_silent_empty_the_memory_and_it_fills_again_when_they_are_heard(house: House):
    await house.add_user()
    records, changes = CountingRecords(house.records), Moody(house.changes)
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


@pytest.mark.asvs("16.5.3")
async def test_a_store_that_is_down_is_unavailable_and_neither_good_nor_bad(house: House):
    await house.add_user()
    identities = house.identities(records=Down(house.records))
    for credential in await house.credentials():
        with pytest.raises(UnavailableError):
            await identities.check(credential, house.now)


async def test_a_refusal_is_not_remembered(house: House):
    await house.add_user()
    records = CountingRecords(house.records)
    identities = house.identities(records=records)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            await house.check(identities, "never was")
    assert records.reads == 2
    assert len(identities._cache._known) == 0


@pytest.mark.asvs("16.5.2")
async def test_a_store_that_cannot_be_written_costs_the_last_use_and_not_the_answer(house: House):
    await house.add_user()
    records = ReadOnly(house.records)
    identities, credentials = house.identities(records=records), await house.credentials()
    house.now += timedelta(minutes=5)
    assert all([await house.is_good(identities, each) for each in credentials])
    # Of those whose last use is still to be written, the store is asked again.
    records.reads = 0
    assert all([await house.is_good(identities, each) for each in credentials])
    assert records.reads == 2


@pytest.mark.asvs("16.5.2")
async def test_a_check_is_answered_while_another_process_holds_the_lock_for_writing(house: House):
    await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    house.now += timedelta(minutes=5)
    with closing(sqlite3.connect(house.folder / "test.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert (await house.check(identities, session_id)).user.email == EMAIL


async def test_the_least_recently_used_is_forgotten_first(house: House):
    await house.add_user()
    records = CountingRecords(house.records)
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


async def test_a_check_after_a_revocation_does_not_join_a_question_from_before_it(house: House):
    """Whoever began to ask before is told what was true then; whoever asks later is not told the same."""
    await house.add_user()
    session_id = await house.sign_in()
    started, go_on = anyio.Event(), anyio.Event()

    class Slow(CountingRecords):
        async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
            result = await super().look(find, key)
            if self.reads == 1:
                started.set()
                await go_on.wait()
            return result

    identities = house.identities(records=Slow(house.records))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.check, identities, session_id)
            await started.wait()
            await house.login.sign_out(session_id, None, house.now)
            with pytest.raises(AuthenticationError):
                await house.check(identities, session_id)
            go_on.set()
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)


async def test_many_who_ask_at_once_with_nothing_good_are_all_refused_by_one_question(house: House):
    records = CountingRecords(house.records)
    identities = house.identities(records=records)
    refused: list[bool] = []

    async def check() -> None:
        refused.append(not await house.is_good(identities, Credential(Method.SESSION, "never was")))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(check)
    assert refused == [True] * 20
    assert records.reads == 1


async def test_whoever_asked_first_and_goes_away_takes_the_answer_from_nobody(house: House):
    user = await house.add_user()
    session_id, asked, go_on = await house.sign_in(), anyio.Event(), anyio.Event()

    class Slow(CountingRecords):
        async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
            result = await super().look(find, key)
            asked.set()
            await go_on.wait()
            return result

    records = Slow(house.records)
    identities = house.identities(records=records)
    first, second = (asyncio.create_task(house.check(identities, session_id)) for _ in range(2))
    with anyio.fail_after(5):
        await asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        # A cancelled task within a task group is silent: this one is asked for its result.
        assert (await second).user == user
    assert records.reads == 1


async def test_a_question_that_nobody_waits_for_any_more_fails_without_a_word(house: House):
    await house.add_user()
    identities = house.identities()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await house.check(identities, "never was")
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(2):
        while identities._asked:
            await anyio.sleep(0.001)


@pytest.mark.asvs("9.2.2")
async def test_no_kind_of_credential_is_good_in_the_place_of_another(house: House):
    await house.add_user()
    identities, credentials = house.identities(), await house.credentials()
    for credential in credentials:
        assert await house.is_good(identities, credential)
        for method in set(Method) - {credential.method}:
            assert not await house.is_good(identities, Credential(method, credential.presented))


async def test_a_cookie_that_was_not_signed_here_is_refused_without_asking_the_store(house: House):
    records = CountingRecords(house.records)
    identities = Identities(
        lambda _: None,
        records,
        house.changes,
        house.sessions,
        house.access_tokens,
        house.api_tokens,
        10,
    )
    with pytest.raises(AuthenticationError):
        await house.check(identities, "x")
    assert records.reads == 0


async def test_a_token_that_was_not_signed_here_is_refused_without_asking_the_store(house: House):
    records = CountingRecords(house.records)
    with pytest.raises(AuthenticationError):
        await house.identities(records=records).check(Credential(Method.ACCESS_TOKEN, "a.b.c"), house.now)
    assert records.reads == 0


@pytest.mark.asvs("14.2.4")
async def test_a_credential_does_not_show_what_it_is_made_of():
    assert repr(Credential(Method.SESSION, "hunter2")) == "Credential(session, ...)"


async def test_what_is_remembered_is_found_by_no_plain_credential(house: House):
    await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    await house.check(identities, session_id)
    assert all(len(key) == 32 and session_id.encode() not in key for key in identities._cache._known)


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
