"""A login: one answer and one cost, whatever was wrong; what another may do meanwhile, and what a refusal leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import anyio
import pytest
from tests.core.house import EMAIL, PASSWORD, CountingHasher, House
from tests.core.tools import CHEAP, MEDUSAS, ActingHasher, rows

from medusa_auth.core.login import Login
from medusa_auth.core.passwords import HashingPool, Passwords, Scrypt
from medusa_auth.errors import AuthenticationError, UnavailableError
from medusa_auth.model import Context, Method
from medusa_auth.store.sql.records import SqlRecords

pytestmark = pytest.mark.anyio


def acting_login(house: House, act: Callable[[], None], *, queue: int = 10) -> Login:
    """A login during whose verifications `act` happens, as by another process."""
    passwords = Passwords(ActingHasher(CHEAP, act), (Scrypt(),), HashingPool(1, queue))
    return Login(house.records, passwords, house.sessions, house.access_tokens)


def _execute(house: House, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(house.folder / "test.db", timeout=5)) as connection, connection:
        connection.execute(statement, values)


def _sessions(house: House) -> int:
    return int(rows(house.folder / "test.db", "SELECT count(*) FROM auth_session")[0][0])


async def _hash(house: House) -> str | None:
    found = await house.records.read(lambda tx: tx.users.get_with_password(EMAIL))
    assert found
    return found[1]


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize(
    ("kept", "email", "password", "good"),
    [
        ("current", EMAIL, PASSWORD, True),
        ("current", EMAIL, "wrong", False),
        ("current", "nobody@example.com", PASSWORD, False),
        ("none", EMAIL, PASSWORD, False),
        ("medusas", EMAIL, "wrong", False),
        ("medusas", EMAIL, "supersecret", True),
        ("broken", EMAIL, PASSWORD, False),
    ],
)
async def test_every_login_runs_the_current_hasher_once(house: House, kept: str, email: str, password: str, good: bool):
    hashes = {"current": house.hasher.hash(PASSWORD), "none": "", "medusas": MEDUSAS, "broken": "broken"}
    await house.add_user(password_hash=hashes[kept])
    await house.passwords.prepare()
    # An old hash is first looked at by its own hasher; a cheap look of the current one at a foreign hash is none.
    foreign_looks = 1 if kept in {"medusas", "broken"} else 0
    house.hasher.runs = 0
    if good:
        await house.login.sign_in(email, password, Context(), house.now)
    else:
        with pytest.raises(AuthenticationError) as error:
            await house.login.sign_in(email, password, Context(), house.now)
        assert str(error.value) == "401 unauthorized: Unauthorized"
    assert house.hasher.runs == 1 + foreign_looks


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("kept", ["current", "older", "medusas", "none"])
async def test_a_refusal_has_one_answer_and_leaves_no_trace(house: House, kept: str):
    older = CountingHasher(Scrypt(1, 1, 1)).hash(PASSWORD)
    hashes = {"current": house.hasher.hash(PASSWORD), "older": older, "medusas": MEDUSAS, "none": ""}
    await house.add_user(password_hash=hashes[kept])
    before = rows(house.folder / "test.db", 'SELECT * FROM "user"')
    answers = set()
    for email, password in ((EMAIL, "wrong"), ("nobody@example.com", "wrong"), (EMAIL, ""), ("", "")):
        for refused in (
            house.login.sign_in(email, password, Context(), house.now),
            house.login.issue_token(email, password, house.now),
        ):
            with pytest.raises(AuthenticationError) as error:
                await refused
            answers.add((str(error.value), error.value.retry_after, error.value.code))
    assert answers == {("401 unauthorized: Unauthorized", None, None)}
    assert rows(house.folder / "test.db", 'SELECT * FROM "user"') == before
    assert _sessions(house) == 0


async def test_the_address_is_compared_without_case_and_in_nfc(house: House):
    await house.add_user(email="Jose\u0301@Example.COM")
    for email in ("jos\u00e9@example.com", "JOSE\u0301@EXAMPLE.COM"):
        assert (await house.login.sign_in(email, PASSWORD, Context(), house.now)).user.email == "jos\u00e9@example.com"


async def test_an_old_hash_is_replaced_at_the_login_and_no_other_time(house: House):
    await house.add_user(password_hash=MEDUSAS)
    with pytest.raises(AuthenticationError):
        await house.sign_in("wrong")
    assert await _hash(house) == MEDUSAS
    await house.sign_in("supersecret")
    upgraded = await _hash(house)
    assert upgraded is not None
    assert house.hasher.owns(upgraded)
    await house.sign_in("supersecret")
    assert await _hash(house) == upgraded


async def test_a_token_replaces_an_old_hash_too(house: House):
    await house.add_user(password_hash=Scrypt(1, 1, 1).hash(PASSWORD))
    await house.login.issue_token(EMAIL, PASSWORD, house.now)
    assert house.hasher.owns(await _hash(house) or "")


async def test_an_upgrade_of_a_hash_ends_nothing_and_is_no_change_of_the_user(house: House):
    user = await house.add_user(password_hash=MEDUSAS)
    identities = house.identities()
    first = await house.sign_in("supersecret")
    await house.check(identities, first)
    house.now += timedelta(seconds=10)
    await house.sign_in("supersecret")
    assert (await house.check(identities, first)).user == user


async def test_a_password_that_another_process_changes_while_it_is_checked_is_refused(house: House):
    await house.add_user()
    new_hash, changed = CHEAP.hash("another"), []

    def change() -> None:
        _execute(house, 'UPDATE "user" SET password_hash = ?', new_hash)
        changed.append(True)

    with pytest.raises(AuthenticationError):
        await acting_login(house, change).sign_in(EMAIL, PASSWORD, Context(), house.now)
    assert changed
    assert _sessions(house) == 0


async def test_a_user_who_is_deleted_while_the_password_is_checked_is_refused(house: House):
    await house.add_user()
    login = acting_login(house, lambda: _execute(house, "UPDATE \"user\" SET deleted_at = '2026-11-24 12:00:00'"))
    with pytest.raises(AuthenticationError):
        await login.sign_in(EMAIL, PASSWORD, Context(), house.now)
    with pytest.raises(AuthenticationError):
        await login.issue_token(EMAIL, PASSWORD, house.now)
    assert _sessions(house) == 0


async def test_a_better_hash_that_another_login_writes_meanwhile_costs_one_more_proof_and_no_refusal(house: House):
    await house.add_user(password_hash=MEDUSAS)
    better = CHEAP.hash("supersecret")
    login = acting_login(house, lambda: _execute(house, 'UPDATE "user" SET password_hash = ?', better))
    assert (await login.sign_in(EMAIL, "supersecret", Context(), house.now)).user.email == EMAIL
    assert rows(house.folder / "test.db", 'SELECT password_hash FROM "user"') == [(better,)]


async def test_whoever_hashes_holds_no_lock_on_the_database(house: House):
    await house.add_user()
    locked: list[bool] = []

    def lock_it() -> None:
        with closing(sqlite3.connect(house.folder / "test.db", timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
            # What no reader holds back can be written back as a whole.
            assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        locked.append(True)

    await acting_login(house, lock_it).sign_in(EMAIL, PASSWORD, Context(), house.now)
    assert locked == [True]


async def test_twenty_first_logins_over_two_connections_all_succeed_and_leave_one_current_hash(house: House):
    await house.add_user(password_hash=MEDUSAS)
    other = SqlRecords(house.url)
    logins = [
        Login(records, house.passwords, house.sessions, house.access_tokens) for records in (house.records, other)
    ]
    signed_in: list[str] = []

    async def sign_in(login: Login) -> None:
        signed_in.append((await login.sign_in(EMAIL, "supersecret", Context(), house.now)).session_id)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(sign_in, logins[number % 2])
    other.close()
    assert len(set(signed_in)) == 20
    assert _sessions(house) == 20
    ((kept,),) = rows(house.folder / "test.db", 'SELECT password_hash FROM "user"')
    assert house.hasher.owns(kept)


async def test_a_login_that_finds_no_place_to_hash_is_unavailable_and_starts_nothing(house: House):
    await house.add_user()
    house.pool._places = 0
    with pytest.raises(UnavailableError) as error:
        await house.sign_in()
    assert error.value.retry_after == HashingPool.RETRY_AFTER_SECONDS
    assert _sessions(house) == 0


async def test_two_logins_give_two_sessions(house: House):
    await house.add_user()
    assert await house.sign_in() != await house.sign_in()
    assert _sessions(house) == 2


@pytest.mark.asvs("7.2.2")
async def test_the_user_behind_a_token_is_the_one_who_logged_in(house: House):
    user = await house.add_user()
    token = await house.login.issue_token(EMAIL, PASSWORD, house.now)
    assert house.access_tokens.verify(token, house.now).user_id == user.id


@pytest.mark.asvs("7.4.1")
async def test_a_sign_out_ends_session_and_token_in_one_commit_and_announces_their_user(house: House):
    user = await house.add_user()
    session_id, token = await house.sign_in(), await house.login.issue_token(EMAIL, PASSWORD, house.now)
    house.changes.poll()
    await house.login.sign_out(session_id, token, house.now)
    assert house.changes.poll() == {user.id}
    with pytest.raises(AuthenticationError):
        await house.check(house.identities(), session_id)
    verified = house.access_tokens.verify(token, house.now)
    assert await house.records.look(house.access_tokens.find_users, verified) is None


async def test_a_sign_out_that_the_store_cannot_write_is_not_acknowledged_and_ends_nothing(house: House):
    await house.add_user()
    session_id = await house.sign_in()
    with closing(sqlite3.connect(house.folder / "test.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError):
            await house.login.sign_out(session_id, None, house.now)
    assert (await house.check(house.identities(), session_id)).method is Method.SESSION
