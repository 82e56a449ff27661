"""Who a credential says it is: how the store is asked, also by many at once, and what a store in trouble changes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TypeVar

import anyio
import pytest
from tests.core.house import EMAIL, House
from tests.core.tools import CountingRecords

from medusa_auth.core.identities import Credential, Identities
from medusa_auth.errors import AuthenticationError, UnavailableError
from medusa_auth.model import Method
from medusa_auth.store.base import Transaction

pytestmark = pytest.mark.anyio

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ReadOnly(CountingRecords):
    """A store that can be read and not written."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        raise UnavailableError


class Down(CountingRecords):
    """A store that answers nothing."""

    async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
        self.reads += 1
        raise UnavailableError


@pytest.mark.asvs("9.2.2")
async def test_no_kind_of_credential_is_good_in_the_place_of_another(house: House):
    await house.add_user()
    identities, credentials = house.identities(), await house.credentials()
    for credential in credentials:
        assert await house.is_good(identities, credential)
        for method in set(Method) - {credential.method}:
            assert not await house.is_good(identities, Credential(method, credential.presented))


async def test_a_cookie_that_was_not_signed_here_is_refused_without_asking_the_store(
    house: House, records: CountingRecords
):
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


async def test_a_token_that_was_not_signed_here_is_refused_without_asking_the_store(
    house: House, records: CountingRecords
):
    with pytest.raises(AuthenticationError):
        await house.identities(records=records).check(Credential(Method.ACCESS_TOKEN, "a.b.c"), house.now)
    assert records.reads == 0


@pytest.mark.asvs("14.2.4")
async def test_a_credential_does_not_show_what_it_is_made_of():
    assert repr(Credential(Method.SESSION, "hunter2")) == "Credential(session, ...)"


@pytest.mark.asvs("16.5.3")
async def test_a_store_that_is_down_is_unavailable_and_neither_good_nor_bad(house: House):
    await house.add_user()
    identities = house.identities(records=Down(house.records))
    for credential in await house.credentials():
        with pytest.raises(UnavailableError):
            await identities.check(credential, house.now)


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


async def test_many_who_ask_at_once_ask_the_store_once(house: House, records: CountingRecords):
    await house.add_user()
    identities, session_id = house.identities(records=records), await house.sign_in()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(house.check, identities, session_id)
    assert records.reads == 1


async def test_many_who_ask_at_once_with_nothing_good_are_all_refused_by_one_question(
    house: House, records: CountingRecords
):
    identities = house.identities(records=records)
    refused: list[bool] = []

    async def check() -> None:
        refused.append(not await house.is_good(identities, Credential(Method.SESSION, "never was")))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(check)
    assert refused == [True] * 20
    assert records.reads == 1


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
