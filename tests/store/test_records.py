"""What every store of records keeps to; SQLite is the one there is."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest

from medusa_auth.errors import DuplicateError, UnavailableError
from medusa_auth.model import ApiToken, Role, Session, User
from medusa_auth.store.base import Transaction
from medusa_auth.store.sql.changes import SqliteChanges
from medusa_auth.store.sql.records import SqlRecords

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
USER = User("usr_1", "a@example.com", Role.ADMIN, NOW, NOW, "A", None, {"a": {"b": [1, None, "ü"]}})
SESSION = Session("hash", "usr_1", NOW, NOW, LATER, "192.0.2.1", "curl")
TOKEN = ApiToken("tok_1", "usr_1", "job", NOW, None, LATER)


def _touch_session(seen: datetime, tx: Transaction) -> None:
    tx.sessions.touch("hash", seen)


def _add_session(session: Session, tx: Transaction) -> None:
    tx.sessions.add(session, "the id")


def _set_not_before(moment: datetime, tx: Transaction) -> None:
    tx.access_tokens.set_not_before("usr_1", moment)


def _touch_api_token(used: datetime, tx: Transaction) -> None:
    tx.api_tokens.touch("tok_1", used)


async def test_a_user_comes_back_as_it_was_added(records: SqlRecords):
    await records.write(lambda tx: tx.users.add(USER, "hash"))
    assert await records.read(lambda tx: tx.users.get("usr_1")) == USER
    assert await records.read(lambda tx: tx.users.get_with_password("a@example.com")) == (USER, "hash")
    assert await records.read(lambda tx: tx.users.list()) == [USER]


async def test_who_is_not_there_is_none(records: SqlRecords):
    assert await records.read(lambda tx: tx.users.get("usr_1")) is None
    assert await records.read(lambda tx: tx.users.get_with_password("a@example.com")) is None
    assert await records.read(lambda tx: tx.sessions.get("hash")) is None
    assert await records.read(lambda tx: tx.api_tokens.get_by_hash("hash")) is None
    assert await records.read(lambda tx: tx.access_tokens.not_before("usr_1")) is None


async def test_a_taken_address_is_refused_and_nothing_of_the_transaction_stays(records: SqlRecords):
    await records.write(lambda tx: tx.users.add(USER, None))

    def add_twin(tx: Transaction) -> None:
        tx.sessions.add(SESSION, "the id")
        tx.users.add(User("usr_2", USER.email, Role.MEMBER, NOW, NOW), None)

    with pytest.raises(DuplicateError):
        await records.write(add_twin)
    assert await records.read(lambda tx: tx.sessions.get("hash")) is None


async def test_a_deleted_user_is_gone_once(records: SqlRecords):
    await records.write(lambda tx: tx.users.add(USER, "hash"))
    assert await records.write(lambda tx: tx.users.delete("usr_1", LATER))
    assert not await records.write(lambda tx: tx.users.delete("usr_1", LATER))
    assert await records.read(lambda tx: tx.users.list()) == []


async def test_an_upgraded_hash_is_no_change_of_the_user(records: SqlRecords):
    await records.write(lambda tx: tx.users.add(USER, "old"))
    await records.write(lambda tx: tx.users.set_password_hash("usr_1", "new"))
    assert await records.read(lambda tx: tx.users.get_with_password("a@example.com")) == (USER, "new")
    await records.write(lambda tx: tx.users.set_password_hash("usr_1", "newer", LATER))
    found = await records.read(lambda tx: tx.users.get("usr_1"))
    assert found
    assert found.updated_at == LATER


async def test_sessions_are_kept_moved_forward_and_ended(records: SqlRecords):
    await records.write(lambda tx: tx.sessions.add(SESSION, "the id"))
    assert await records.read(lambda tx: tx.sessions.get("hash")) == SESSION
    for seen in (NOW + timedelta(minutes=2), NOW + timedelta(minutes=1)):
        await records.write(partial(_touch_session, seen))
    found = await records.read(lambda tx: tx.sessions.get("hash"))
    assert found
    assert found.last_seen_at == NOW + timedelta(minutes=2)
    assert await records.write(lambda tx: tx.sessions.delete("hash")) == "usr_1"
    assert await records.write(lambda tx: tx.sessions.delete("hash")) is None


async def test_sessions_end_by_user_and_by_time(records: SqlRecords):
    for number in range(3):
        session = Session(str(number), f"usr_{number}", NOW, NOW, NOW + timedelta(minutes=number))
        await records.write(partial(_add_session, session))
    assert await records.write(lambda tx: tx.sessions.delete_of_user("usr_2")) == 1
    await records.write(lambda tx: tx.sessions.delete_expired(NOW))
    assert await records.read(lambda tx: tx.sessions.get("1"))


async def test_access_tokens_end_one_by_one_and_by_user(records: SqlRecords):
    await records.write(lambda tx: tx.access_tokens.revoke("jti", "usr_1", LATER))
    await records.write(lambda tx: tx.access_tokens.revoke("jti", "usr_1", LATER))
    assert await records.read(lambda tx: tx.access_tokens.is_revoked("jti"))
    assert not await records.read(lambda tx: tx.access_tokens.is_revoked("other"))
    assert await records.write(lambda tx: tx.access_tokens.delete_expired(LATER)) == 1
    for moment in (NOW, LATER):
        await records.write(partial(_set_not_before, moment))
        assert await records.read(lambda tx: tx.access_tokens.not_before("usr_1")) == moment


async def test_api_tokens_are_kept_moved_forward_and_ended(records: SqlRecords):
    await records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash"))
    assert await records.read(lambda tx: tx.api_tokens.get_by_hash("hash")) == TOKEN
    assert await records.read(lambda tx: tx.api_tokens.list()) == [TOKEN]
    for used in (LATER, NOW):
        await records.write(partial(_touch_api_token, used))
    found = await records.read(lambda tx: tx.api_tokens.get_by_hash("hash"))
    assert found
    assert found.last_used_at == LATER
    assert await records.write(lambda tx: tx.api_tokens.delete("tok_1")) == "usr_1"
    assert await records.write(lambda tx: tx.api_tokens.delete("tok_1")) is None
    await records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash"))
    assert await records.write(lambda tx: tx.api_tokens.delete_of_user("usr_1")) == 1


async def test_times_of_other_zones_are_the_same_moment(records: SqlRecords):
    elsewhere = NOW.astimezone(tz=None)
    await records.write(lambda tx: tx.users.add(User("usr_1", "a@b.co", Role.MEMBER, elsewhere, elsewhere), None))
    found = await records.read(lambda tx: tx.users.get("usr_1"))
    assert found
    assert (found.created_at, found.created_at.tzinfo) == (NOW, UTC)


async def test_an_error_of_the_callers_undoes_the_transaction(records: SqlRecords):
    def fail(tx: Transaction) -> None:
        tx.users.add(USER, None)
        raise RuntimeError("after the write")

    with pytest.raises(RuntimeError, match="after the write"):
        await records.write(fail)
    assert await records.read(lambda tx: tx.users.list()) == []


async def test_a_reader_does_not_wait_for_a_writer_and_a_writer_not_for_ever(records: SqlRecords, tmp_path: Path):
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    assert await records.read(lambda tx: tx.users.list()) == []
    assert time.monotonic() - started < 0.3
    with pytest.raises(UnavailableError) as error:
        await records.write(lambda tx: tx.users.add(USER, None))
    assert error.value.retry_after == 1
    assert time.monotonic() - started < 1.5
    other.execute("ROLLBACK")
    other.close()
    await records.write(lambda tx: tx.users.add(USER, None))


async def test_many_writers_take_turns_and_all_get_theirs(records: SqlRecords):
    async def add(number: int) -> None:
        user = User(f"usr_{number}", f"{number}@example.com", Role.MEMBER, NOW, NOW)
        await records.write(lambda tx: tx.users.add(user, None))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(add, number)
    assert len(await records.read(lambda tx: tx.users.list())) == 50


async def test_a_commit_is_on_the_disk(records: SqlRecords):
    def pragmas(tx: Transaction) -> list[object]:
        connection = tx.users._connection  # type: ignore[attr-defined]
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert await records.read(pragmas) == ["wal", 2]


async def test_a_store_that_is_not_there_is_unavailable(tmp_path: Path):
    records = SqlRecords(f"sqlite:///{tmp_path / 'no' / 'such.db'}")
    with pytest.raises(UnavailableError):
        await records.ping()
    records.close()


async def _announce(records: SqlRecords, user_id: str, now: datetime = NOW) -> None:
    await records.write(lambda tx: tx.announce(user_id, now))


async def test_changes_hear_what_is_announced_once(records: SqlRecords, url: str):
    await _announce(records, "usr_0")
    changes = SqliteChanges(url)
    assert not changes.poll()
    await _announce(records, "usr_1")
    await _announce(records, "usr_2")
    assert changes.poll() == {"usr_1", "usr_2"}
    assert not changes.poll()
    await records.write(lambda tx: tx.users.add(USER, None))
    assert changes.poll() == set()
    changes.close()


async def test_changes_that_were_missed_are_told_as_missed(records: SqlRecords, url: str):
    await _announce(records, "usr_1")
    changes = SqliteChanges(url)
    await _announce(records, "usr_2", NOW + timedelta(minutes=1))
    await _announce(records, "usr_3", NOW + timedelta(hours=2))
    assert changes.poll() is None
    await _announce(records, "usr_4", NOW + timedelta(hours=2))
    assert changes.poll() == {"usr_4"}
    changes.close()


async def test_an_announcement_that_is_undone_is_not_heard(records: SqlRecords, url: str):
    changes = SqliteChanges(url)

    def fail(tx: Transaction) -> None:
        tx.announce("usr_1", NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await records.write(fail)
    await _announce(records, "usr_2")
    assert changes.poll() == {"usr_2"}
    changes.close()
