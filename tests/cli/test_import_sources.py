"""Where people come from: what is refused, what is said of it, and that it is only read."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.cli.moving import Target, add_many, add_people, command, counts, execute, run_import
from tests.services.postgres import PostgresCluster
from tests.services.process import free_port

PATIENCE = 30.0


@pytest.fixture
def source(new_medusa_database: Callable[[], str]) -> str:
    return new_medusa_database()


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def port_and_name(url: str) -> tuple[str, str]:
    parts = conninfo_to_dict(url)
    return str(parts["port"]), str(parts["dbname"])


def test_the_source_may_be_told_on_the_command_line_too(source: str, target: Target):
    add_people(source)
    done = subprocess.run(
        command("import", "--from", source), env=target.environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, counts(done.stdout)["new"]) == (0, (4, 2))
    assert str(conninfo_to_dict(source)["password"]) not in done.stdout + done.stderr


def test_without_a_source_it_is_asked_for(target: Target):
    done = subprocess.run(command("import"), env=target.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--from" in done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://medusa:hunter2@127.0.0.1:{closed}/{name}", "Connection refused"),
        ("postgresql://medusa:hunter2@127.0.0.1:{port}/{name}", "password authentication failed"),
        ("postgresql://medusa:hunter2@no-such-host.invalid/{name}", "no-such-host.invalid"),
        ("postgresql://medusa:hunter2/{name}", "URL cannot be read"),
        ("postgresql://medusa:at@hunter2@127.0.0.1:{port}/{name}", "URL cannot be read"),
        ("mysql://medusa:hunter2@127.0.0.1/{name}", "has to be a PostgreSQL database"),
        ("hunter2", "has to be a PostgreSQL database"),
    ],
)
def test_a_source_that_cannot_be_had_is_a_sentence_without_the_password(
    source: str, target: Target, url: str, said: str
):
    port, name = port_and_name(source)
    told = run_import(target, url.format(closed=free_port(), port=port, name=name), status=1)
    assert said in told
    assert told.startswith("Error: ")
    assert "hunter2" not in told


def test_a_database_that_is_no_medusas_is_refused(postgresql: PostgresCluster, target: Target):
    url = postgresql.create_database("no_medusa")
    assert "is no Medusa v1 database: it has no table user and no invite." in run_import(target, url, status=1)
    execute(url, 'CREATE TABLE "user" (id text, email text); CREATE TABLE invite (id text)')
    assert "it has no column user.first_name, " in run_import(target, url, status=1)
    execute(url, "CREATE TABLE provider_identity (id text)")
    assert "is a database of Medusa 2" in run_import(target, url, status=1)


def test_source_and_target_may_not_be_the_same_by_whatever_names(source: str, tmp_path: Path):
    port, name = port_and_name(source)
    password = conninfo_to_dict(source)["password"]
    target = Target(tmp_path, source)
    for url in (source, f"postgres://postgres:{password}@localhost:{port}/{name}"):
        told = run_import(target, url, "--apply", status=1)
        assert "are the same database" in told
        assert "medusa-auth migrate" in told
    with psycopg.connect(source) as connection:
        assert connection.execute("SELECT to_regclass('auth_schema_version')").fetchone() == (None,)


def test_another_medusas_database_is_migrated_before_a_dry_run_into_it(
    source: str, new_medusa_database: Callable[[], str], tmp_path: Path
):
    add_people(source)
    target = Target(tmp_path, new_medusa_database())
    assert "is not up to date: `medusa-auth migrate` first" in run_import(target, source, status=1)
    assert counts(run_import(target, source, "--apply"))["new"] == (4, 2)
    assert counts(run_import(target, source))["already there"] == (5, 2)


def test_the_source_is_only_read_and_needs_no_other_right(source: str, target: Target):
    add_people(source)
    execute(source, "CREATE ROLE looks LOGIN PASSWORD 'hunter2'; GRANT SELECT ON \"user\", invite TO looks")
    port, name = port_and_name(source)
    rows = [f"SELECT ctid::text, xmin::text, t.* FROM {table} AS t ORDER BY id" for table in ('"user"', "invite")]
    with psycopg.connect(source) as connection:
        before = [connection.execute(query).fetchall() for query in rows]
    url = f"postgresql://looks:hunter2@127.0.0.1:{port}/{name}"
    assert counts(run_import(target, url, "--apply"))["new"] == (4, 2)
    with psycopg.connect(source) as connection:
        assert [connection.execute(query).fetchall() for query in rows] == before
    execute(source, 'REVOKE SELECT ON "user" FROM looks')
    assert "permission denied for table user" in run_import(target, url, status=1)
    execute(source, "DROP OWNED BY looks; DROP ROLE looks")


def test_a_moment_of_the_source_is_read_although_it_goes_away_then(
    source: str, new_postgresql: Callable[[], str], tmp_path: Path
):
    """The target holds the import up: meanwhile the source is changed, and then it is gone."""
    add_many(source, 1200)
    target = Target(tmp_path, new_postgresql())
    environ = target.environ | {"MEDUSA_AUTH_IMPORT_FROM": source}
    with psycopg.connect(target.database_url) as gate:
        gate.execute('LOCK TABLE "user"')
        importing = subprocess.Popen(
            command("import", "--apply"), env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for(
            target.database_url, "SELECT count(*) FROM pg_locks WHERE relation = '\"user\"'::regclass AND NOT granted"
        )
        execute(source, "DELETE FROM \"user\" WHERE id > 'usr_00000000000000000000000500'")
        importers = "pg_stat_activity WHERE application_name = 'medusa-auth import'"
        wait_for(source, f"SELECT count(pg_terminate_backend(pid)) FROM {importers}")
        gate.commit()
        said, error = importing.communicate(timeout=PATIENCE)
    assert importing.returncode == 1, said
    assert error.startswith("Error: The source cannot be read: ")
    assert "What has come over stays; the same command goes on from there." in error
    assert 0 < target.rows('SELECT count(*) FROM "user"')[0][0] <= 1000


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_elsewhere_nothing(source: str, target: Target):
    add_many(source, 1200)
    leader, follower = pty.openpty()
    environ = target.environ | {"MEDUSA_AUTH_IMPORT_FROM": source, "TERM": "xterm", "COLUMNS": "120"}
    importing = subprocess.Popen(command("import"), env=environ, stdout=follower, stderr=follower, stdin=follower)
    os.close(follower)
    seen = b""
    # A terminal that nobody has open any more is an input/output error.
    with suppress(OSError):
        while some := os.read(leader, 4096):
            seen += some
    os.close(leader)
    assert importing.wait(PATIENCE) == 0
    assert b"/1200" in seen
    assert b"users" in seen
    said = run_import(target, source)
    assert "/1200" not in said
    assert "\x1b" not in said


def test_nothing_is_imported_where_users_are_shared_with_a_medusa(
    source: str, new_medusa_database: Callable[[], str], tmp_path: Path
):
    target = Target(tmp_path, new_medusa_database())
    environ = target.environ | {
        "MEDUSA_AUTH_IMPORT_FROM": source,
        "MEDUSA_AUTH_SHARED": "1",
        "REDIS_URL": "redis://127.0.0.1:1",
        "JWT_SECRET": "b2f1c0d4e5a697887766554433221100ffee",
        "COOKIE_SECRET": "c2f1c0d4e5a697887766554433221100ffee",
    }
    done = subprocess.run(command("import", "--apply"), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "In shared mode" in done.stderr


def wait_for(url: str, query: str) -> None:
    until = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchall() == [(0,)]:
            assert time.monotonic() < until, query
            time.sleep(0.02)
