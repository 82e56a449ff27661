"""How long a session lives, and what is kept of it."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from tests.core.house import NOW, House
from tests.core.tools import SeededRandom, bytes_at_rest, rows

from medusa_auth.core.identities import Credential
from medusa_auth.core.ids import secret_hash
from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Context, Method, Session

pytestmark = pytest.mark.anyio

T = TypeVar("T")
TICK = timedelta(microseconds=1)
RULES = SessionRules(life=timedelta(hours=10), idle=timedelta(hours=1))


def _session(last_seen_at: datetime = NOW) -> Session:
    return Session("hash", "usr_1", NOW, last_seen_at, NOW + RULES.life)


async def _find(house: House, session_id: str) -> Session:
    found = await house.records.read(lambda tx: house.sessions.find_with_users(tx, [session_id]))
    session, _ = found[session_id]
    if RULES.is_over(session, house.now):
        raise AuthenticationError
    return session


@pytest.mark.asvs("7.3.1")
@pytest.mark.parametrize(
    ("unused_for", "over"),
    [(timedelta(0), False), (RULES.idle - TICK, False), (RULES.idle, True), (RULES.idle + TICK, True)],
)
def test_a_session_ends_at_the_moment_of_its_idle_limit(unused_for: timedelta, over: bool):
    assert RULES.is_over(_session(), NOW + unused_for) is over


@pytest.mark.asvs("7.3.2")
@pytest.mark.parametrize(("age", "over"), [(RULES.life - TICK, False), (RULES.life, True), (RULES.life + TICK, True)])
def test_a_session_in_use_ends_at_the_moment_of_its_absolute_life(age: timedelta, over: bool):
    assert RULES.is_over(_session(last_seen_at=NOW + age), NOW + age) is over


@pytest.mark.asvs("7.3.1")
@pytest.mark.asvs("7.3.2")
async def test_use_puts_off_the_idle_limit_and_never_the_end_of_the_life(house: House):
    await house.add_user()
    identities, session_id, started = house.identities(), await house.sign_in(), house.now
    while house.now < started + timedelta(hours=10):
        await house.check(identities, session_id)
        house.now += timedelta(minutes=50)
    house.now = started + timedelta(hours=10) - TICK
    await house.check(identities, session_id)
    house.now = started + timedelta(hours=10)
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)


@pytest.mark.asvs("7.3.1")
async def test_a_session_that_nobody_used_for_its_idle_limit_is_refused_although_it_is_remembered(house: House):
    await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    await house.check(identities, session_id)
    house.now += timedelta(hours=1)
    with pytest.raises(AuthenticationError):
        await house.check(identities, session_id)


async def test_the_last_use_is_written_at_most_once_a_minute(house: House):
    await house.add_user()
    identities, session_id, started = house.identities(capacity=0), await house.sign_in(), house.now
    seen: list[timedelta] = []
    for seconds in (30, 59, 60, 61, 119, 120):
        house.now = started + timedelta(seconds=seconds)
        await house.check(identities, session_id)
        seen.append((await _find(house, session_id)).last_seen_at - started)
    assert [each.total_seconds() for each in seen] == [0, 0, 60, 60, 60, 120]


async def test_the_last_use_does_not_go_back_when_the_clock_does(house: House):
    await house.add_user()
    identities, session_id = house.identities(capacity=0), await house.sign_in()
    house.now += timedelta(minutes=10)
    await house.check(identities, session_id)
    latest = house.now
    house.now -= timedelta(minutes=5)
    await house.check(identities, session_id)
    assert (await _find(house, session_id)).last_seen_at == latest


async def test_only_the_hash_of_a_session_id_reaches_the_disk(house: House):
    await house.add_user()
    session_id = await house.sign_in()
    stored = bytes_at_rest(house.folder / "test.db")
    found = await _find(house, session_id)
    assert found.id_hash.encode() in stored
    assert session_id.encode() not in stored


@pytest.mark.asvs("7.2.3")
async def test_a_session_id_is_192_random_bits_in_base64url_and_each_another(house: House):
    user = await house.add_user()
    random, same = SeededRandom(), SeededRandom()
    sessions = Sessions(RULES, random)
    started = [await house.records.write(lambda tx: sessions.start(tx, user, Context(), house.now)) for _ in range(20)]
    assert [each for each, _ in started] == [base64.urlsafe_b64encode(same(24)).decode() for _ in range(20)]
    assert random.asked == [24] * 20
    assert len({each for each, _ in started}) == 20
    assert not any(session_id in repr(session) for session_id, session in started)


@pytest.mark.asvs("7.2.4")
async def test_a_login_that_replaces_a_session_kills_it_for_those_who_remember_it(house: House):
    await house.add_user()
    identities, old = house.identities(), await house.sign_in()
    await house.check(identities, old)
    new = await house.sign_in(replaces=old)
    assert new != old
    with pytest.raises(AuthenticationError):
        await house.check(identities, old)
    await house.check(identities, new)


async def test_a_replaced_session_ends_with_the_commit_that_starts_the_new_one(house: House):
    await house.add_user()
    old = await house.sign_in()
    new = await house.sign_in(replaces=old)
    assert set(await house.records.read(lambda tx: house.sessions.find_with_users(tx, [old, new]))) == {new}


async def test_a_failed_login_keeps_the_session_that_it_was_to_replace(house: House):
    await house.add_user()
    old = await house.sign_in()
    with pytest.raises(AuthenticationError):
        await house.sign_in("wrong", replaces=old)
    assert await _find(house, old)


@pytest.mark.asvs("7.4.1")
async def test_a_sign_out_ends_the_session_and_no_other(house: House):
    await house.add_user()
    identities, ended, other = house.identities(), await house.sign_in(), await house.sign_in()
    for session_id in (ended, other):
        await house.check(identities, session_id)
    await house.login.sign_out(ended, None, house.now)
    await house.check(identities, other)
    with pytest.raises(AuthenticationError):
        await house.check(identities, ended)


async def test_signing_out_of_nothing_is_no_error_and_forgets_nobody(house: House):
    await house.add_user()
    await house.login.sign_out("never was", "no token", house.now)
    await house.login.sign_out(None, None, house.now)
    assert house.changes.poll() == set()


@pytest.mark.asvs("14.2.7")
async def test_a_login_removes_the_records_of_sessions_that_are_over_by_every_clock(house: House):
    await house.add_user()
    await house.sign_in()
    house.now += timedelta(hours=10)
    between = await house.sign_in()
    assert len(rows(house.folder / "test.db", "SELECT id_hash FROM auth_session")) == 2
    house.now += timedelta(hours=1)
    newest = await house.sign_in()
    kept = rows(house.folder / "test.db", "SELECT id_hash FROM auth_session")
    assert {name for (name,) in kept} == {secret_hash(session_id) for session_id in (between, newest)}


async def test_a_short_idle_limit_ends_no_session_that_is_used(house: House):
    await house.add_user()
    house.sessions.rules = SessionRules(life=timedelta(hours=10), idle=timedelta(seconds=45))
    identities, session_id = house.identities(), await house.sign_in()
    for _ in range(30):
        house.now += timedelta(seconds=5)
        await house.check(identities, session_id)
    house.now += timedelta(seconds=45)
    assert not await house.is_good(identities, Credential(Method.SESSION, session_id))


async def test_where_a_session_comes_from_is_kept(house: House):
    user = await house.add_user()
    context = Context("192.0.2.1", "Mozilla/5.0")
    session_id, _ = await house.records.write(lambda tx: house.sessions.start(tx, user, context, house.now))
    found = await _find(house, session_id)
    assert (found.client, found.user_agent) == ("192.0.2.1", "Mozilla/5.0")


async def test_a_long_user_agent_is_cut(house: House):
    user = await house.add_user()
    context = Context("192.0.2.1", "x" * 10_000)
    _, session = await house.records.write(lambda tx: house.sessions.start(tx, user, context, house.now))
    assert session.user_agent == "x" * 256
    assert await house.records.read(lambda tx: tx.sessions.get(session.id_hash)) == session


@pytest.mark.asvs("7.2.1")
async def test_a_session_id_that_was_never_given_is_refused(house: House):
    await house.add_user()
    identities, session_id = house.identities(), await house.sign_in()
    for wrong in ("", session_id[:-1], session_id + "A", session_id.swapcase(), "A" * 32, "\ud800", "\0"):
        with pytest.raises(AuthenticationError):
            await identities.check(Credential(Method.SESSION, wrong), house.now)
