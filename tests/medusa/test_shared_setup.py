"""A Medusa in production with a prefix and a database number of Redis's, and what our servers may not do beside it."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url
from tests.faults.servers import COMMAND
from tests.medusa.beside import PASSWORD, Beside, Side, beside, cookie_of, login, serving_beside, session_id, until
from tests.medusa.real_medusa import RealMedusa, real_medusa

from medusa_auth.core.ids import secret_hash

pytestmark = pytest.mark.medusa

# In a pattern of Redis's it would be a class of characters, and any one character.
PREFIX = "shop[*]?:"
SIDES = pytest.mark.parametrize("first", ["ours", "medusa"])
GOOD, BAD = [200, 200, 200], [401, 401, 401]
EVENTS = "notify-keyspace-events"
HTTPS = {
    "MEDUSA_AUTH_REDIS_PREFIX": PREFIX,
    "MEDUSA_AUTH_TRUSTED_PROXIES": "127.0.0.1",
    "MEDUSA_AUTH_PUBLIC_URL": "https://admin.example.com",
    "MEDUSA_AUTH_COOKIE_SAMESITE": "none",
}

SCHEMA = {
    "columns": """SELECT table_name, column_name, data_type, column_default, is_nullable
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint",
    "triggers": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "owners": "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'",
}


def schema(real: RealMedusa) -> dict[str, set[Any]]:
    """What is not ours."""
    with psycopg.connect(real.database_url) as connection:
        found = {name: connection.execute(query.encode()).fetchall() for name, query in SCHEMA.items()}
    return {name: {row for row in rows if not row[0].startswith("auth_")} for name, rows in found.items()}


@pytest.fixture(scope="module")
def production() -> Iterator[RealMedusa]:
    with real_medusa(node_env="production", redis_prefix=PREFIX, redis_database=3) as running:
        yield running


@pytest.fixture(scope="module")
def untouched(production: RealMedusa) -> dict[str, set[Any]]:
    """Before we were there."""
    return schema(production)


@pytest.fixture(scope="module")
def both(
    production: RealMedusa, untouched: dict[str, set[Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Beside]:
    assert untouched
    with beside(production, tmp_path_factory.mktemp("production"), https=True, **HTTPS) as both:
        yield both


def test_of_medusas_tables_nothing_is_changed_but_the_trigger(both: Beside, untouched: dict[str, set[Any]]):
    trigger = {("user", "auth_user_changed_1"), ('"user"', "auth_user_changed_1")}
    now = schema(both.real)
    assert now.pop("triggers") - trigger == untouched["triggers"] - trigger
    assert now == {name: rows for name, rows in untouched.items() if name != "triggers"}


@SIDES
def test_a_session_is_shared_in_production_too(both: Beside, first: str):
    here, _ = both.pair(first)
    answer = here.call("POST", "/admin/auth", both.real.login)
    assert "; Secure; SameSite=None" in answer.headers["set-cookie"]
    cookie = cookie_of(answer)
    assert both.statuses(Cookie=cookie) == GOOD
    kept = both.session(cookie)
    assert kept
    assert (kept["cookie"]["secure"], kept["cookie"]["sameSite"]) == (True, "none")
    for side in both.sides:
        cookie = here.log_in(both.real.login)
        assert both.statuses(Cookie=cookie) == GOOD
        side.log_out(cookie)
        until(lambda: both.statuses(Cookie=cookie) == BAD)  # noqa: B023


@SIDES
def test_a_logout_holds_with_a_prefix(both: Beside, first: str):
    here, _ = both.pair(first)
    cookies = [both.medusa.log_in(both.real.login) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for cookie in cookies:
            asking = [threads.submit(both.medusa.status, Cookie=cookie) for _ in range(4)]
            here.log_out(cookie)
            for each in asking:
                each.result()
    until(lambda: not any(both.session(cookie) for cookie in cookies))
    assert [both.statuses(Cookie=cookie) for cookie in cookies] == [BAD] * 4


def test_a_prefix_is_text_and_no_pattern(both: Beside):
    user = both.user(f"prefix-{secrets.token_hex(4)}@medusa-test.com")
    cookie = both.medusa.log_in(login(user["email"]))
    text = both.redis.get(both.key(cookie)) or b""
    others = ["shop*x:sess:other", "shopx:sess:other", "sess:other", f"{PREFIX}session:other"]
    for key in others:
        both.redis.set(key, text)
    both.admin("DELETE", f"/admin/users/{user['id']}", at=both.ours)
    until(lambda: both.session(cookie) is None)
    assert [both.redis.get(key) for key in others] == [text] * 4
    assert all(key.startswith(PREFIX.encode()) or key.decode() in others for key in both.redis.scan_iter("*"))


# Redis


def test_what_has_to_be_heard_is_heard_again_when_redis_was_started_anew(both: Beside):
    both.redis.config_set(EVENTS, "")
    for client in both.redis.client_list():
        if client["name"] == "medusa-auth-changes":
            both.redis.client_kill(client["addr"])
    until(lambda: set("Kg") <= set(both.redis.config_get(EVENTS)[EVENTS] or ""), 5)
    until(lambda: all(side.status("/ready") == 200 for side in (both.ours, both.another)), 5)
    cookie = both.medusa.log_in(both.real.login)
    until(lambda: both.statuses(Cookie=cookie) == GOOD)
    both.medusa.log_out(cookie)
    until(lambda: both.statuses(Cookie=cookie) == BAD)
    assert both.redis.zscore(f"{PREFIX}medusa-auth:ended", secret_hash(session_id(cookie))) is not None


def test_when_redis_is_emptied_nobody_is_signed_in(both: Beside):
    cookies = [side.log_in(both.real.login) for side in both.sides]
    assert [both.statuses(Cookie=cookie) for cookie in cookies] == [GOOD] * 3
    both.redis.flushall()
    until(lambda: all(both.statuses(Cookie=cookie) == BAD for cookie in cookies))
    cookie = both.ours.log_in(both.real.login)
    assert both.statuses(Cookie=cookie) == GOOD
    both.medusa.log_out(cookie)
    until(lambda: both.statuses(Cookie=cookie) == BAD)


@contextmanager
def restricted(both: Beside, folder: Path, *rules: str) -> Iterator[tuple[str, Side]]:
    """A server of ours whose user of Redis's has these rules, and that user."""
    name, password = f"ours-{secrets.token_hex(4)}", secrets.token_hex(8)
    both.redis.execute_command("ACL", "SETUSER", name, "on", f">{password}", "~*", "+@all", *rules)
    url = both.real.redis_url.replace("redis://", f"redis://{name}:{password}@")
    with serving_beside("restricted", folder / "log", {**both.environ, "REDIS_URL": url}) as side:
        yield name, side
    both.redis.execute_command("ACL", "DELUSER", name)


def test_who_may_not_configure_redis_hears_what_is_deleted_if_events_are_on(both: Beside, tmp_path: Path):
    both.redis.config_set(EVENTS, "Kg")
    with restricted(both, tmp_path, "-config", "allchannels") as (name, side):
        assert side.log
        assert "Redis does not let us see whether its keyspace events are on" in side.log.read_text()
        cookie = side.log_in(both.real.login)
        assert (side.status(Cookie=cookie), both.medusa.status(Cookie=cookie)) == (200, 200)
        (listener,) = [each for each in both.redis.client_list() if each["user"] == name and each["psub"] != "0"]
        assert listener["psub"] == "1"
        both.medusa.log_out(cookie)
        until(lambda: side.status(Cookie=cookie) == 401)


def test_who_may_not_subscribe_in_redis_does_everything_else(both: Beside, tmp_path: Path):
    with restricted(both, tmp_path, "resetchannels") as (_, side):
        assert side.log
        assert "Redis does not let us hear what is deleted" in side.log.read_text()
        for ender in (side, both.medusa):
            cookie = side.log_in(both.real.login)
            assert (side.status(Cookie=cookie), both.medusa.status(Cookie=cookie)) == (200, 200)
            ender.log_out(cookie)
            until(lambda: (side.status(Cookie=cookie), both.medusa.status(Cookie=cookie)) == (401, 401))  # noqa: B023


# PostgreSQL


def as_user(url: str, name: str, password: str) -> str:
    return make_url(url).set(username=name, password=password).render_as_string(hide_password=False)


@contextmanager
def database_user(both: Beside, *grants: str) -> Iterator[str]:
    """The address of the database for somebody who may do no more than that."""
    name, password = f"user_{secrets.token_hex(4)}", secrets.token_hex(8)
    make = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
    with psycopg.connect(both.real.database_url, autocommit=True) as connection:
        connection.execute(make)
        for grant in grants:
            connection.execute(f"{grant} TO {name}".encode())
        yield as_user(both.real.database_url, name, password)
        connection.execute(f"DROP OWNED BY {name}".encode())
        connection.execute(f"DROP ROLE {name}".encode())


def start(environ: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    """A command that needs the database, and makes what is missing there."""
    command = [*COMMAND, "users", "list"]
    return subprocess.run(command, env={**environ, **more}, capture_output=True, text=True, check=False)


def triggers(both: Beside) -> list[str]:
    query = "SELECT tgname FROM pg_trigger WHERE tgrelid = '\"user\"'::regclass AND NOT tgisinternal"
    return [row[0] for row in both.execute(query)]


def test_servers_that_start_at_once_make_one_trigger(both: Beside):
    both.execute("DROP FUNCTION auth_user_changed_1() CASCADE")
    assert triggers(both) == []
    threads = [threading.Thread(target=start, args=(both.environ,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert triggers(both) == ["auth_user_changed_1"]


def test_who_may_not_make_the_trigger_is_told_who_may(both: Beside):
    every = "ALL TABLES IN SCHEMA public"
    grants = (f"GRANT SELECT, INSERT, UPDATE, DELETE ON {every}", "GRANT USAGE, CREATE ON SCHEMA public")
    with ExitStack() as stack:
        url = stack.enter_context(database_user(both, *grants))
        both.execute("DROP FUNCTION auth_user_changed_1() CASCADE")
        try:
            refused = start(both.environ, DATABASE_URL=url)
            assert refused.returncode == 1
            assert (
                'The trigger that shared mode needs on the table "user" cannot be made: permission denied'
                in refused.stderr
            )
            assert "Traceback" not in refused.stderr
        finally:
            assert start(both.environ).returncode == 0
        assert start(both.environ, DATABASE_URL=url).returncode == 0


def test_medusas_database_user_needs_no_rights_in_our_tables(both: Beside):
    user = both.user(f"rights-{secrets.token_hex(4)}@medusa-test.com")
    cookie = both.ours.log_in(login(user["email"]))
    assert both.statuses(Cookie=cookie) == GOOD
    changed = "UPDATE public.user SET password_hash = 'x', updated_at = now() WHERE id = %s"
    with (
        database_user(both, 'GRANT SELECT, UPDATE ON "user"') as url,
        psycopg.connect(url, autocommit=True, options="-c search_path=pg_catalog") as connection,
    ):
        connection.execute(changed.encode(), [user["id"]])
        until(lambda: both.statuses(Cookie=cookie) == BAD)


def test_a_database_without_a_medusa_is_refused_and_left_as_it_is(both: Beside):
    name = f"empty_{secrets.token_hex(4)}"
    both.execute(f"CREATE DATABASE {name}")
    url = make_url(both.real.database_url).set(database=name).render_as_string(hide_password=False)
    refused = start(both.environ, DATABASE_URL=url)
    assert refused.returncode == 1
    assert "has no tables of a Medusa v1: run `medusa migrations run` there first." in refused.stderr
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_serve_says_in_one_line_that_it_is_shared(both: Beside):
    assert both.ours.log
    lines = [line for line in both.ours.log.read_text().splitlines() if "Shared" in line]
    assert lines == ["Shared with a Medusa v1, and less strict for it (docs/shared.md)"]
    assert PASSWORD not in both.ours.log.read_text()
