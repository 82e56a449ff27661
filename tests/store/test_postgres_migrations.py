"""The schema on PostgreSQL: made once, by whoever comes first, and beside Medusa's tables without touching them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from tests.services.postgres import PostgresCluster
from tests.services.process import free_port

from medusa_auth.errors import SettingsError
from medusa_auth.store.sql import migrate as module
from medusa_auth.store.sql.engines import sqlalchemy_url
from medusa_auth.store.sql.migrate import ADVISORY_LOCK, HEAD, Schema, look, migrate
from medusa_auth.store.sql.postgres_changes import PostgresChanges
from medusa_auth.store.sql.records import SqlRecords
from medusa_auth.store.sql.tables import metadata

PATIENCE = 30.0
MIGRATE = [sys.executable, "-c", "import sys; from medusa_auth.store.sql.migrate import migrate; migrate(sys.argv[1])"]
NUMBERS = count()
SHARED = {
    "MEDUSA_AUTH_SHARED": "1",
    "REDIS_URL": "redis://127.0.0.1:1",
    "JWT_SECRET": "b2f1c0d4e5a697887766554433221100ffee",
    "COOKIE_SECRET": "c2f1c0d4e5a697887766554433221100ffee",
}

ROWS = """
    INSERT INTO "user" (id, email, role, metadata, deleted_at) VALUES
      ('usr_1', 'ada@example.com', 'admin', '{"a": {"b": [1, null, "ü"]}}', NULL),
      ('usr_2', 'bob@example.com', NULL, NULL, NULL),
      ('usr_3', 'bob@example.com', 'developer', 'null', now());
    INSERT INTO invite (id, user_email, token) VALUES ('invite_1', 'new@example.com', 'a.b.c');
"""

# What there is in the schema, as PostgreSQL itself describes it. `relfilenode` changes when a table is written anew.
CATALOG = {
    "relations": """SELECT relname, relkind::text, relowner, relacl::text, relfilenode, relhastriggers, reloptions::text
        FROM pg_class WHERE relnamespace = 'public'::regnamespace""",
    "columns": """SELECT table_name, ordinal_position, column_name, data_type, udt_name, is_nullable, column_default,
        collation_name, is_identity, is_generated FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "types": """SELECT typname, typtype::text, typowner FROM pg_type WHERE typnamespace = 'public'::regnamespace""",
    "labels": "SELECT enumtypid::regtype::text, enumsortorder, enumlabel FROM pg_enum",
    "functions": "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
}


@pytest.fixture
def empty(postgresql: PostgresCluster) -> str:
    return postgresql.create_database(f"empty_{next(NUMBERS)}")


@pytest.fixture
def medusas(new_medusa_database: Callable[[], str]) -> str:
    """Medusa's tables with rows, an object of somebody else's, and a right that was given to somebody."""
    url = new_medusa_database()
    with psycopg.connect(url) as connection:
        connection.execute(ROWS)
        connection.execute("CREATE TABLE product (id varchar PRIMARY KEY, number serial)")
        connection.execute('GRANT SELECT ON "user" TO pg_monitor')
    return url


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(query).fetchall(), key=repr)


def catalog(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything but what is ours, which no other name begins like."""
    found = {name: ask(url, query) for name, query in CATALOG.items()}
    return {name: [row for row in rows if not _is_ours(str(row[0]))] for name, rows in found.items()}


def _is_ours(name: str) -> bool:
    return name.removeprefix("_").removeprefix("ix_").startswith("auth_")


def rows(url: str) -> list[list[tuple[Any, ...]]]:
    """With where each is and which transaction wrote it: both change when a row is written anew."""
    return [ask(url, f"SELECT ctid::text, xmin::text, t.* FROM {table} AS t") for table in ('"user"', "invite")]


def tables(url: str) -> set[str]:
    return {name for (name,) in ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


OURS = {table.name for table in metadata.tables.values()} | {"auth_schema_version"}


def test_an_empty_database_gets_the_schema_once(empty: str):
    assert migrate(empty) == Schema(None, ())
    before = [catalog(empty), ask(empty, "SELECT relname, relfilenode FROM pg_class WHERE relname LIKE '%auth%'")]
    assert migrate(empty) == Schema(HEAD, ("invite", "user"))
    assert [
        catalog(empty),
        ask(empty, "SELECT relname, relfilenode FROM pg_class WHERE relname LIKE '%auth%'"),
    ] == before
    assert tables(empty) == OURS


def test_the_migrations_make_what_the_tables_say_on_postgresql(empty: str):
    migrate(empty)
    engine = create_engine(sqlalchemy_url(empty), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "auth_schema_version"})
        assert compare_metadata(context, metadata) == []


def test_users_and_invites_made_here_are_those_that_medusa_makes(empty: str, new_medusa_database: Callable[[], str]):
    migrate(empty)
    ours, theirs = catalog(empty), catalog(new_medusa_database())
    assert len(theirs["columns"]) == 21
    assert len(theirs["indexes"]) == 4
    for what in ("columns", "constraints", "indexes", "labels", "functions", "triggers"):
        assert ours[what] == theirs[what]
    assert [row[:2] for row in ours["relations"]] == [row[:2] for row in theirs["relations"]]
    assert ours["types"] == theirs["types"]


def test_where_medusas_tables_stand_ours_are_added_and_nothing_else_changes(medusas: str):
    before = catalog(medusas), rows(medusas)
    assert look(medusas) == Schema(None, ("invite", "user"))
    assert migrate(medusas) == Schema(None, ("invite", "user"))
    assert (catalog(medusas), rows(medusas)) == before
    assert tables(medusas) == OURS | {"product"}
    assert migrate(medusas) == Schema(HEAD, ("invite", "user"))
    assert (catalog(medusas), rows(medusas)) == before


@pytest.mark.parametrize("standing", ["nothing", "medusas"])
def test_two_processes_at_once_make_one_schema(request: pytest.FixtureRequest, standing: str):
    url: str = request.getfixturevalue("empty" if standing == "nothing" else "medusas")
    # Held until all have come: they go on at the same moment.
    with psycopg.connect(url) as gate:
        gate.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        starting = [subprocess.Popen([*MIGRATE, url], stderr=subprocess.PIPE) for _ in range(3)]
        wait_for(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 3)
    assert [(process.communicate()[1], process.returncode) for process in starting] == [(b"", 0)] * 3
    assert tables(url) >= OURS
    assert look(url).version == HEAD


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_migration_that_is_interrupted_in_the_middle_leaves_nothing(medusas: str, end: signal.Signals):
    before = catalog(medusas), rows(medusas)
    with psycopg.connect(medusas) as other:
        # A table of that name which is not committed yet holds the migration up, after it has made others.
        other.execute("CREATE TABLE auth_outbox (id int)")
        migrating = subprocess.Popen([*MIGRATE, medusas], stderr=subprocess.DEVNULL)
        wait_for(medusas, "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted", 1)
        migrating.send_signal(end)
        migrating.wait(PATIENCE)
        other.rollback()
    wait_for(medusas, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 0)
    assert (catalog(medusas), rows(medusas)) == before
    assert tables(medusas) == {"user", "invite", "product"}
    migrate(medusas)
    assert tables(medusas) == OURS | {"product"}


def test_a_migration_that_cannot_be_finished_leaves_nothing_and_says_why(medusas: str):
    with psycopg.connect(medusas) as connection:
        connection.execute("CREATE TABLE auth_outbox (id int)")
    with pytest.raises(SettingsError, match=r'The database cannot be used: relation "auth_outbox" already exists\.'):
        migrate(medusas)
    assert tables(medusas) == {"user", "invite", "product", "auth_outbox"}


@pytest.mark.parametrize("what", [migrate, look])
def test_a_schema_of_a_newer_version_is_refused_with_both_versions(
    new_postgresql: Callable[[], str], what: Callable[[str], Schema]
):
    url = new_postgresql()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE auth_schema_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match=f"version 9999, is newer than this program, which knows {HEAD}"):
        what(url)


def test_looking_writes_nothing(empty: str):
    assert look(empty) == Schema(None, ())
    assert tables(empty) == set()


def wrong_addresses(url: str) -> Iterator[tuple[str, str]]:
    there = psycopg.conninfo.conninfo_to_dict(url)
    password, port, name = there["password"], there["port"], there["dbname"]
    yield f"postgresql://postgres:hunter2@127.0.0.1:{port}/{name}", "password authentication failed"
    yield f"postgresql://nobody:{password}@127.0.0.1:{port}/{name}", "password authentication failed"
    yield f"postgresql://postgres:{password}@127.0.0.1:{port}/no_such", 'database "no_such" does not exist'
    yield f"postgresql://postgres:hunter2@127.0.0.1:{free_port()}/{name}", "Connection refused"
    yield f"postgresql://postgres:hunter2@no-such-host.invalid/{name}", "no-such-host.invalid"
    yield f"postgresql://postgres:hunter2@127.0.0.1:{port}/{name}?no_such_option=1", "invalid connection option"
    yield f"postgresql://postgres:hunter2@127.0.0.1:{port}/{name}?autocommit=1", "does not know: autocommit"
    yield f"postgresql://postgres:hunter2@127.0.0.1:{port}/{name}?prepare_threshold=0", "does not know: prepare"
    yield "postgresql://postgres:hunter2/database", "URL cannot be read"
    yield f"postgresql://postgres:an@hunter2@127.0.0.1:{port}/{name}", "URL cannot be read"


@pytest.mark.parametrize("number", range(10))
def test_a_database_that_cannot_be_had_is_a_sentence_without_the_password(empty: str, number: int):
    url, said = list(wrong_addresses(empty))[number]
    with pytest.raises(SettingsError) as error:
        migrate(url)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    for secret in ("hunter2", str(psycopg.conninfo.conninfo_to_dict(empty)["password"])):
        assert secret not in "".join(traceback.format_exception(error.value, limit=0))


@pytest.mark.anyio
async def test_a_search_path_in_the_address_counts_when_the_schema_is_made_and_when_it_is_used(empty: str):
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE SCHEMA store")
    url = f"{empty}?options=-csearch_path%3Dstore"
    migrate(url)
    with closing(SqlRecords(url)) as records, closing(PostgresChanges(url)) as changes:
        assert await records.read(lambda tx: tx.users.list()) == []
        assert changes.poll() is not None
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('public.auth_session')").fetchone() == (None,)


def test_a_user_who_may_make_no_tables_is_told_so(empty: str):
    with psycopg.connect(empty) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'hunter2'")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM public")
    port = psycopg.conninfo.conninfo_to_dict(empty)["port"]
    with pytest.raises(SettingsError, match="permission denied for schema public"):
        migrate(f"postgresql://reader:hunter2@127.0.0.1:{port}/{empty.rpartition('/')[2]}")


class TestCommand:
    def test_it_says_what_it_did(self, tmp_path: Path, medusas: str):
        made = command(tmp_path, medusas)
        assert made.returncode == 0
        assert f"Made the schema, version {HEAD}, in {medusas.rpartition('/')[2]} on 127.0.0.1" in made.stdout
        assert "Medusa's invite and user stood there already" in made.stdout
        again = command(tmp_path, medusas)
        assert again.stdout.startswith("Nothing to do: ")

    def test_it_says_from_which_version_it_went_to_which(self, tmp_path: Path, empty: str):
        migrate_to("0001", empty)
        assert f"from version 0001 to {HEAD}" in command(tmp_path, empty).stdout
        assert tables(empty) == OURS

    def test_in_shared_mode_a_database_that_is_no_medusas_is_left_as_it_is(self, tmp_path: Path, empty: str):
        done = command(tmp_path, empty, **SHARED)
        assert done.returncode == 1
        assert "has no tables of a Medusa v1: run `medusa migrations run` there first." in done.stderr
        assert ask(empty, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []

    def test_in_shared_mode_it_makes_the_trigger_too(self, tmp_path: Path, medusas: str):
        with psycopg.connect(medusas) as connection:
            connection.execute("CREATE TABLE customer (id varchar PRIMARY KEY)")
        assert command(tmp_path, medusas, **SHARED).returncode == 0
        assert ("auth_user_changed_1",) in ask(medusas, "SELECT tgname FROM pg_trigger")

    def test_an_error_is_one_line_without_the_password(self, tmp_path: Path):
        done = command(tmp_path, f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x")
        assert done.returncode == 1
        assert done.stderr.startswith("Error: The database cannot be used: ")
        assert len(done.stderr.splitlines()) == 1
        assert "hunter2" not in done.stdout + done.stderr


def migrate_to(version: str, url: str) -> None:
    """As an older version of this program would have done."""
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).with_name("migrations")))
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, version)


def command(tmp_path: Path, url: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {"DATABASE_URL": url, "MEDUSA_AUTH_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": ":".join(sys.path)}
    environ |= settings
    line = [sys.executable, "-m", "medusa_auth", "migrate"]
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=False)


def wait_for(url: str, query: str, expected: int) -> None:
    until = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchall() != [(expected,)]:
            assert time.monotonic() < until, query
            time.sleep(0.02)
