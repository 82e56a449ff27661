"""SQLite as a store: its locks, its files, and what becomes of a file that cannot be used."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url

from medusa_auth.errors import SettingsError, UnavailableError
from medusa_auth.model import Role, User
from medusa_auth.store.base import Transaction
from medusa_auth.store.sql.changes import SqliteChanges
from medusa_auth.store.sql.engines import BUSY_SECONDS
from medusa_auth.store.sql.migrate import HEAD, migrate
from medusa_auth.store.sql.records import SqlRecords
from medusa_auth.store.sql.tables import UtcDateTime
from medusa_auth.store.turns import KEYS_AT_ONCE

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
USER = User("usr_1", "a@example.com", Role.ADMIN, NOW, NOW)


def _add(tx: Transaction) -> None:
    tx.users.add(USER, None)


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection holds the lock for writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


@pytest.mark.anyio
@pytest.mark.asvs("16.5.2")
async def test_readers_do_not_wait_for_a_writer_and_see_nothing_of_it(records: SqlRecords, tmp_path: Path):
    await records.ping()
    with locked(tmp_path / "test.db") as writer:
        writer.execute("INSERT INTO auth_change (user_id, at) VALUES ('usr_1', '2026-11-24 12:00:00')")
        writer.execute("INSERT INTO \"user\" (id, email) VALUES ('usr_1', 'a@example.com')")
        started = time.monotonic()
        for _ in range(20):
            assert await records.read(lambda tx: tx.users.list()) == []
        # Whoever waited would do so for all of this, each of the twenty.
        assert time.monotonic() - started < 5 * BUSY_SECONDS


LOOKS: dict[str, Callable[[Transaction, Sequence[str]], object]] = {
    "sessions": lambda tx, keys: tx.sessions.find_with_users(dict(zip(keys, keys, strict=True))),
    "access tokens": lambda tx, keys: tx.access_tokens.find_users([(key, key) for key in keys]),
    "API tokens": lambda tx, keys: tx.api_tokens.find_with_users(keys),
    "readable tokens": lambda tx, keys: tx.users.find_by_readable_tokens(keys),
    "passwords": lambda tx, keys: tx.users.find_with_passwords(keys),
}


@pytest.mark.anyio
@pytest.mark.parametrize("what", LOOKS)
async def test_however_many_are_looked_up_together_few_statements_are_said(records: SqlRecords, what: str):
    """A database prepares each that it meets: of every number from 1 to `KEYS_AT_ONCE`, eight have to do."""
    statements: set[str] = set()

    def look(tx: Transaction) -> None:
        for number in range(1, KEYS_AT_ONCE + 1):
            LOOKS[what](tx, [f"key {key}" for key in range(number)])

    event.listen(records._database.engine, "before_cursor_execute", lambda *said: statements.add(said[2]))
    await records.read(look)
    assert len(statements - {"BEGIN"}) == 8


@pytest.mark.anyio
@pytest.mark.asvs("16.5.3")
async def test_all_writers_are_told_within_a_second_that_another_holds_the_lock(records: SqlRecords, tmp_path: Path):
    await records.ping()
    took: list[float] = []

    async def write() -> None:
        started = time.monotonic()
        with pytest.raises(UnavailableError) as error:
            await records.write(_add)
        assert (error.value.status, error.value.retry_after) == (503, 1)
        took.append(time.monotonic() - started)

    with locked(tmp_path / "test.db"):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(write)
    assert len(took) == 10
    assert max(took) < 1.25
    # What was under way may still be done, so that it is another one who is added now.
    other = replace(USER, id="usr_2", email="b@example.com")
    await records.write(lambda tx: tx.users.add(other, None))
    assert other in await records.read(lambda tx: tx.users.list())


@pytest.mark.anyio
async def test_a_writer_waits_for_another_that_is_soon_done(records: SqlRecords, tmp_path: Path):
    await records.ping()
    with locked(tmp_path / "test.db") as writer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(records.write, _add)
            await anyio.sleep(0.05)
            writer.execute("ROLLBACK")
    assert await records.read(lambda tx: tx.users.list()) == [USER]


@pytest.mark.anyio
async def test_many_writers_take_turns_and_all_get_theirs(records: SqlRecords):
    async def add(number: int) -> None:
        user = replace(USER, id=f"usr_{number}", email=f"{number}@example.com")
        await records.write(lambda tx: tx.users.add(user, None))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(add, number)
    assert len(await records.read(lambda tx: tx.users.list())) == 50


@pytest.mark.anyio
async def test_the_turn_of_a_writer_whose_caller_went_away_ends_with_its_work_and_not_before(records: SqlRecords):
    working, go = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        working.set()
        go.wait(5)

    task = asyncio.create_task(records.write(work))
    await asyncio.to_thread(working.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert records._turns._writers.locked()
    go.set()
    with anyio.fail_after(5):
        while records._turns._writers.locked():
            await anyio.sleep(0.001)


@pytest.mark.anyio
async def test_every_connection_writes_ahead_and_waits_for_the_disk(records: SqlRecords):
    def pragmas(tx: Transaction) -> tuple[object, ...]:
        connection = tx.users._connection  # type: ignore[attr-defined]
        names = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names)

    found: list[tuple[object, ...]] = []

    async def look() -> None:
        found.append(await records.read(pragmas))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(look)
    found.append(await records.write(pragmas))
    assert set(found) == {("wal", 2, 1)}


@pytest.mark.anyio
@pytest.mark.asvs("2.3.3")
async def test_what_was_acknowledged_is_there_although_the_process_was_killed(url: str, tmp_path: Path):
    program = (
        "import sys, anyio, os, signal\n"
        "from medusa_auth.model import Role, User\n"
        "from medusa_auth.store.sql.records import SqlRecords\n"
        "from datetime import datetime, UTC\n"
        "now = datetime(2026, 11, 24, tzinfo=UTC)\n"
        "async def main():\n"
        "    records = SqlRecords(sys.argv[1])\n"
        "    for number in range(10):\n"
        "        user = User(f'usr_{number}', f'{number}@example.com', Role.MEMBER, now, now)\n"
        "        await records.write(lambda tx: tx.users.add(user, None))\n"
        "        print(number, flush=True)\n"
        "    def die(tx):\n"
        "        tx.users.add(User('usr_x', 'x@example.com', Role.MEMBER, now, now), None)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    await records.write(die)\n"
        "anyio.run(main)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, url], check=False, capture_output=True, text=True, timeout=30
    )
    assert process.returncode == -9
    assert process.stdout.split() == [str(number) for number in range(10)]
    records = SqlRecords(url)
    assert [user.id for user in await records.read(lambda tx: tx.users.list())] == [f"usr_{n}" for n in range(10)]
    records.close()


@pytest.mark.anyio
async def test_the_files_of_a_database_in_use_are_for_their_owner_alone(records: SqlRecords, tmp_path: Path):
    await records.write(_add)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("test.db*")}
    del modes["test.db.migrating"]
    assert modes == {"test.db": 0o600, "test.db-wal": 0o600, "test.db-shm": 0o600}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["missing folder", "folder", "garbage", "no schema"])
async def test_a_database_that_cannot_be_used_is_unavailable_to_readers_and_writers(tmp_path: Path, kind: str):
    path = tmp_path / ("no/such.db" if kind == "missing folder" else "broken.db")
    if kind == "folder":
        path.mkdir()
    elif kind == "garbage":
        path.write_bytes(b"this is no database " * 1000)
    records = SqlRecords(f"sqlite:///{path}")
    for ask in (records.ping, lambda: records.read(lambda tx: tx.users.list()), lambda: records.write(_add)):
        with pytest.raises(UnavailableError) as error:
            await ask()
        assert str(path) not in str(error.value)
    records.close()


@pytest.mark.anyio
async def test_why_a_database_cannot_be_used_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with closing(SqlRecords(f"sqlite:///{tmp_path / 'empty.db'}")) as records:
        for _ in range(3):
            with pytest.raises(UnavailableError):
                await records.read(lambda tx: tx.users.list())
    assert caplog.messages == ["The database cannot be used: no such table: user"]


@pytest.mark.parametrize("kind", ["folder", "missing folder", "garbage", "no schema"])
def test_changes_that_cannot_be_read_are_unavailable_from_the_start(tmp_path: Path, kind: str):
    path = tmp_path / ("no/such.db" if kind == "missing folder" else "broken.db")
    if kind == "folder":
        path.mkdir()
    elif kind == "garbage":
        path.write_bytes(b"this is no database " * 1000)
    with pytest.raises(UnavailableError):
        SqliteChanges(f"sqlite:///{path}")


def test_changes_of_a_database_that_breaks_are_unavailable(url: str, tmp_path: Path):
    changes = SqliteChanges(url)
    with closing(sqlite3.connect(tmp_path / "test.db")) as connection:
        connection.execute("DROP TABLE auth_change")
    with pytest.raises(UnavailableError):
        changes.poll()
    # Not only the first time: what was not heard stays unheard.
    with pytest.raises(UnavailableError):
        changes.poll()
    changes.close()


def test_changes_hear_another_process(url: str, tmp_path: Path):
    changes = SqliteChanges(url)
    program = (
        "import sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as connection:\n"
        "    connection.execute(\"INSERT INTO auth_change (user_id, at) VALUES ('usr_1', '2026-11-24 12:00:00')\")\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "test.db")], check=True, timeout=30)
    assert changes.poll() == {"usr_1"}
    changes.close()


def test_changes_cannot_write(url: str):
    changes = SqliteChanges(url)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        changes._connection.execute("DELETE FROM auth_change")
    changes.close()


def test_polling_costs_microseconds_when_nothing_has_changed(url: str):
    changes = SqliteChanges(url)
    started = time.process_time()
    for _ in range(1000):
        assert changes.poll() == ()
    assert time.process_time() - started < 0.5
    changes.close()


def test_migrating_a_database_of_others_leaves_its_mode_and_makes_it_write_ahead(tmp_path: Path):
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    path.chmod(0o640)
    migrate(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_whoever_migrates_waits_for_another_who_does(tmp_path: Path):
    path = tmp_path / "new.db"
    with (tmp_path / "new.db.migrating").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        migrating = threading.Thread(target=migrate, args=(f"sqlite:///{path}",))
        migrating.start()
        migrating.join(0.05)
        assert migrating.is_alive()
        assert not path.exists()
        fcntl.flock(other, fcntl.LOCK_UN)
        migrating.join(10)
    assert not migrating.is_alive()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM auth_schema_version").fetchone() == (HEAD,)


def test_the_mode_of_a_new_database_does_not_depend_on_the_umask(tmp_path: Path):
    program = "import os, sys; os.umask(0); from medusa_auth.store.sql.migrate import migrate; migrate(sys.argv[1])"
    url = f"sqlite:///{tmp_path / 'new.db'}"
    subprocess.run([sys.executable, "-c", program, url], check=True, timeout=30)
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600


def test_medusas_users_are_read_and_signed_for_where_they_stand(tmp_path: Path):
    path = tmp_path / "medusa.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            'CREATE TABLE "user" (id varchar PRIMARY KEY, email varchar NOT NULL, first_name varchar, '
            "last_name varchar, password_hash varchar, api_token varchar, created_at datetime NOT NULL, "
            "updated_at datetime NOT NULL, deleted_at datetime, metadata json, role varchar)"
        )
        connection.execute(
            "INSERT INTO \"user\" VALUES ('usr_1', 'a@example.com', NULL, NULL, 'hash', NULL, "
            "'2026-11-24 01:53:13.446794', '2026-11-24 01:53:13.446794', NULL, NULL, NULL)"
        )
        before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert set(before) <= set(connection.execute("SELECT sql FROM sqlite_master").fetchall())

    async def read() -> User | None:
        records = SqlRecords(f"sqlite:///{path}")
        try:
            return await records.read(lambda tx: tx.users.get("usr_1"))
        finally:
            records.close()

    created_at = datetime(2026, 11, 24, 1, 53, 13, 446794, tzinfo=UTC)
    assert anyio.run(read) == User("usr_1", "a@example.com", Role.MEMBER, created_at, created_at)


def test_a_file_of_which_the_folder_is_missing_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"such\.db cannot be used"):
        migrate(f"sqlite:///{tmp_path / 'no' / 'such.db'}")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody can reach: pytest's own are for their owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_this_user_cannot_write_is_refused(public_folder: Path, kind: str):
    path = public_folder / "read-only.db"
    if kind == "file":
        path.touch(0o444)
        public_folder.chmod(0o777)
    else:
        public_folder.chmod(0o555)
    program = (
        "import os, sys\n"
        "from medusa_auth.errors import SettingsError\n"
        "from medusa_auth.store.sql.migrate import migrate\n"
        "if os.geteuid() == 0:\n"
        "    os.setuid(65534)\n"
        "try:\n"
        "    migrate(sys.argv[1])\n"
        "except SettingsError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{path}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    assert said.startswith(f"The database {path} cannot be used: [Errno 13] Permission denied")


def test_a_schema_that_cannot_be_made_is_refused_with_its_name(tmp_path: Path):
    path = tmp_path / "half.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE auth_change (theirs)")
    with pytest.raises(SettingsError, match=r"half\.db cannot be used"):
        migrate(f"sqlite:///{path}")


@pytest.mark.asvs("2.3.3")
def test_a_migration_that_fails_half_way_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "half.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE auth_change (theirs)")
    with pytest.raises(Exception, match="auth_change"):
        migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE auth_change")
        assert connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'auth_%'").fetchall() == []


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://"])
def test_a_time_and_none_come_back_from_either_database(url: str):
    dialect = make_url(url).get_dialect()()
    for moment in (None, NOW):
        bound = UtcDateTime().process_bind_param(moment, dialect)
        assert UtcDateTime().process_result_value(bound, dialect) == moment
