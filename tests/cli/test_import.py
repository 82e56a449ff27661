"""Users and invites of a Medusa come over: all of them, once, and nothing that is here is changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from tests.cli.moving import (
    API_TOKEN,
    PASSWORD,
    Target,
    add_many,
    add_people,
    add_user,
    command,
    counts,
    execute,
    run_import,
    source_users,
)
from tests.cli.test_cli import serving

PATIENCE = 60.0


@pytest.fixture
def source(new_medusa_database: Callable[[], str]) -> str:
    return new_medusa_database()


@pytest.fixture
def people(source: str) -> str:
    add_people(source)
    return source


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A data folder in which nothing is yet, with SQLite or beside a PostgreSQL database of ours."""
    if request.param == "sqlite":
        return Target(tmp_path)
    return Target(tmp_path, request.getfixturevalue("new_postgresql")())


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Target:
    return Target(tmp_path)


def kept(user: dict[str, Any]) -> dict[str, Any]:
    """What of a user of the source is to be here: everything, but no API token in clear."""
    return user | {"email": user["email"].lower(), "api_token": None}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(people: str, target: Target):
    said = run_import(target, people)
    assert counts(said) == {
        "new": (4, 2),
        "new, deleted in Medusa": (1, 0),
        "a user already": (0, 2),
        "accepted": (0, 1),
        "expired": (0, 1),
        "withdrawn": (0, 1),
        "in all": (5, 7),
    }
    assert "Nothing was written" in said
    assert (target.users(), target.invites()) == ([], [])
    assert not (target.folder / "data" / "medusa-auth.db").exists()


def test_everything_of_the_users_comes_over_deleted_ones_too(people: str, target: Target):
    dry = run_import(target, people)
    assert counts(run_import(target, people, "--apply")) == counts(dry)
    assert target.users() == [kept(user) for user in source_users(people)]
    assert [user["role"] for user in target.users()] == ["admin", None, "developer", "member", "member"]


def test_an_api_token_is_kept_as_a_hash_alone_and_a_deleted_users_is_not(people: str, target: Target):
    run_import(target, people, "--apply")
    assert target.tokens() == [("usr_ada", "api_token", hashlib.sha256(API_TOKEN.encode()).hexdigest())]


def test_open_invites_come_over_without_a_token(people: str, target: Target):
    run_import(target, people, "--apply")
    norole, opened = target.invites()
    assert (opened["id"], opened["user_email"], opened["role"]) == ("invite_open", "new@example.com", "developer")
    assert (opened["metadata"], opened["accepted"], opened["deleted_at"]) == ({"a": 1}, False, None)
    assert (norole["user_email"], norole["role"]) == ("norole@example.com", None)
    with psycopg.connect(people) as connection:
        query = "SELECT created_at, updated_at, expires_at FROM invite WHERE id = 'invite_open'"
        assert connection.execute(query).fetchone() == tuple(
            opened[name] for name in ("created_at", "updated_at", "expires_at")
        )
    assert {token for (token,) in target.rows("SELECT token FROM invite")} == {"imported: resend it"}


def test_a_second_time_nothing_is_new_and_nothing_changes(people: str, target: Target):
    run_import(target, people, "--apply")
    before = target.users(), target.invites(), target.tokens()
    for arguments in (["--apply"], []):
        said = counts(run_import(target, people, *arguments))
        assert "new" not in said
        assert said["already there"] == (5, 2)
        assert (target.users(), target.invites(), target.tokens()) == before


def test_who_was_changed_here_or_there_stays_as_they_are_here(people: str, target: Target):
    run_import(target, people, "--apply")
    target.write("UPDATE \"user\" SET first_name = 'Rob', updated_at = '2030-01-01 00:00:00' WHERE id = 'usr_bob'")
    target.write("UPDATE \"user\" SET deleted_at = '2030-01-01 00:00:00' WHERE id = 'usr_solo'")
    target.write("DELETE FROM auth_api_token")
    execute(people, "UPDATE \"user\" SET role = 'member', updated_at = now() WHERE id = 'usr_dev'")
    execute(people, "UPDATE \"user\" SET deleted_at = now() WHERE id = 'usr_ada'")
    before = target.users()
    said = run_import(target, people, "--apply")
    assert counts(said)["changed here since"] == (2, 0)
    assert counts(said)["changed in Medusa since"] == (2, 0)
    assert "Note user usr_ada, ada@example.com: was deleted in Medusa since, and is still a user here." in said
    assert "stays as they are here" in said
    assert target.users() == before
    assert target.tokens() == [], "one that was taken away here does not come back"


def test_addresses_that_become_the_same_are_told_and_left_out(source: str, target: Target):
    for user_id, email in {
        "usr_1": "kim@example.com",
        "usr_2": "KIM@example.com",
        "usr_3": "\uff4cee@example.com",
        "usr_4": "Lee@example.com",
        "usr_5": "fine@example.com",
    }.items():
        add_user(source, user_id, email)
    execute(
        source,
        """INSERT INTO invite (id, user_email, token, expires_at) VALUES
        ('invite_1', 'max@example.com', 'a', now() + interval '1 day'),
        ('invite_2', 'Max@example.com', 'a', now() + interval '1 day')""",
    )
    for arguments in ([], ["--apply"], ["--apply"]):
        said = run_import(target, source, *arguments, status=3)
        assert counts(said)["left out"] == (4, 2)
        for user_id in ("usr_1", "usr_2", "usr_3", "usr_4"):
            assert re.search(rf"Left out user {user_id}, \S+: another user of the source has the same address", said)
        assert "6 did not come over" in said
    assert [user["id"] for user in target.users()] == ["usr_5"]
    assert target.invites() == []


def test_what_cannot_be_kept_is_told_with_its_reason_and_the_others_come(source: str, target: Target):
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("ALTER TYPE user_role_enum ADD VALUE 'owner'")
    add_user(source, "usr_1", "a@example.com", role="owner")
    add_user(source, "usr_2", "b@example.com", created_at="infinity")
    add_user(source, "usr_3", "c@example.com", updated_at="4000-01-01 BC")
    add_user(source, "usr_4", "d@example.com", deleted_at="-infinity")
    add_user(source, "usr_5", "e@example.com", metadata="[1]")
    add_user(source, "usr_6", "f@example.com", metadata='{"a": ' + "1" * 400 + ".5}")
    add_user(source, "usr_7", "g@example.com", metadata='{"a": ' * 3000 + "1" + "}" * 3000)
    add_user(source, "usr_8", "h@example.com")
    said = run_import(target, source, "--apply", status=3)
    assert "usr_1, a@example.com: its role, owner, is none of admin, member, developer." in said
    for number, email in ((2, "b"), (3, "c"), (4, "d")):
        assert f"usr_{number}, {email}@example.com: one of its times is out of bounds." in said
    assert "usr_5, e@example.com: its metadata cannot be kept: it is no object." in said
    for number, email in ((6, "f"), (7, "g")):
        assert f"usr_{number}, {email}@example.com: its metadata cannot be kept: it has a number" in said
    assert [user["id"] for user in target.users()] == ["usr_8"]


def test_an_address_that_somebody_else_has_here_is_left_to_them(source: str, target: Target):
    add_user(source, "usr_1", "ada@example.com")
    create = command("users", "create", "--email", "ada@example.com", "--password-stdin")
    subprocess.run(create, env=target.environ, input=PASSWORD, text=True, check=True, capture_output=True)
    [before] = target.users()
    for arguments in ([], ["--apply"]):
        said = run_import(target, source, *arguments, status=3)
        assert f"Left out user usr_1, ada@example.com: {before['id']} has this address here." in said
    assert target.users() == [before]


def test_a_token_that_is_not_of_one_user_alone_or_too_weak_does_not_come(source: str, target: Target):
    tokens = ["shared-by-two", "shared-by-two", "short", "password1", "taken-here-already", "with-an\nend-of-line"]
    for number, token in enumerate(tokens):
        add_user(source, f"usr_{number}", f"u{number}@example.com", api_token=token)
    add_user(source, "usr_9", "gone@example.com", api_token="shared-by-two", deleted_at="2024-01-01Z")
    create = command("users", "create", "--email", "here@example.com", "--password-stdin")
    subprocess.run(create, env=target.environ, input=PASSWORD, text=True, check=True, capture_output=True)
    taken = hashlib.sha256(b"taken-here-already").hexdigest()
    target.write(
        "INSERT INTO auth_api_token (id, user_id, name, token_hash, created_at) "
        f"VALUES ('tok_1', 'usr_here', 'job', '{taken}', '2024-01-01 00:00:00')"
    )
    # At last also who is deleted is there.
    for arguments, outcome, users in (([], "new", 6), (["--apply"], "new", 6), (["--apply"], "already there", 7)):
        said = run_import(target, source, *arguments, status=3)
        for number, reason in enumerate(
            [
                "another user of the source has the same one",
                "another user of the source has the same one",
                "api_token is too short",
                "api_token is a common password",
                "somebody has the same one here",
                "api_token must not have control characters",
            ]
        ):
            where = f"In part user usr_{number}, u{number}@example.com: the API token did not come over: "
            assert where + reason in said
        assert counts(said)[outcome] == (users, 0)
    assert target.tokens() == [("usr_here", "job", taken)]
    for token in ("shared-by-two", "password1", "taken-here-already"):
        assert token not in said


def test_medusas_passwords_and_api_tokens_are_good_here_and_the_hashes_become_better(people: str, on_sqlite: Target):
    run_import(on_sqlite, people, "--apply")
    with serving(on_sqlite.folder) as (url, told, _):
        assert "first administrator" not in told
        user = httpx2.get(f"{url}/admin/auth", headers={"x-medusa-access-token": API_TOKEN}).json()["user"]
        assert (user["id"], user["created_at"], user["role"]) == ("usr_ada", "2024-02-29T23:59:59.999Z", "admin")
        for email in ("ada@example.com", "solo@example.com", "SOLO@Example.com"):
            for _ in range(2):
                login = {"email": email, "password": PASSWORD}
                assert httpx2.post(f"{url}/admin/auth", json=login).status_code == 200
            assert httpx2.post(f"{url}/admin/auth", json=login | {"password": "wrong"}).status_code == 401
        nobody = {"email": "bob@example.com", "password": PASSWORD}
        assert httpx2.post(f"{url}/admin/auth", json=nobody).status_code == 401
    hashes = {user["id"]: user["password_hash"] for user in on_sqlite.users()}
    assert hashes["usr_ada"].startswith("$argon2id$")
    assert hashes["usr_solo"].startswith("$argon2id$")
    assert hashes["usr_dev"].startswith("c2NyeXB0")
    assert counts(run_import(on_sqlite, people, "--apply"))["already there"] == (5, 2), "a better hash is no change"


def test_an_invite_that_came_over_is_sent_again_and_accepted(people: str, on_sqlite: Target):
    said = run_import(on_sqlite, people, "--apply")
    assert "medusa-auth invites resend ID" in said
    listed = subprocess.run(
        command("invites", "list", "--json"), env=on_sqlite.environ, capture_output=True, text=True, check=True
    )
    assert sorted(invite["id"] for invite in json.loads(listed.stdout)) == ["invite_norole", "invite_open"]
    resend = command("invites", "resend", "invite_open", "--link")
    link = subprocess.run(resend, env=on_sqlite.environ, capture_output=True, text=True, check=True).stdout
    [token] = re.findall(r"token=(\S+)", link)
    with serving(on_sqlite.folder) as (url, _, _):
        body = {"token": token, "user": {"password": "green apples fall"}}
        assert httpx2.post(f"{url}/admin/invites/accept", json=body).status_code == 200
        login = {"email": "new@example.com", "password": "green apples fall"}
        assert httpx2.post(f"{url}/admin/auth", json=login).json()["user"]["role"] == "developer"
    assert counts(run_import(on_sqlite, people))["a user already"] == (0, 3)


def test_who_has_no_admin_is_told_how_to_make_one(source: str, on_sqlite: Target):
    add_user(source, "usr_1", "a@example.com")
    assert "--role admin` makes somebody one" in run_import(on_sqlite, source, "--apply")


def test_an_import_that_was_killed_in_the_middle_is_finished_by_the_next_one(source: str, target: Target):
    add_many(source, 6000)
    environ = target.environ | {"MEDUSA_AUTH_IMPORT_FROM": source}
    with subprocess.Popen(command("import", "--apply"), env=environ, stdout=subprocess.DEVNULL) as importing:
        until = time.monotonic() + PATIENCE
        while count(target) == 0:
            assert time.monotonic() < until
        importing.send_signal(signal.SIGKILL)
    done = count(target)
    assert 0 < done < 6000
    said = counts(run_import(target, source, "--apply"))
    assert said == {"new": (6000 - done, 0), "already there": (done, 0), "in all": (6000, 0)}
    assert [user["id"] for user in target.users()] == [user["id"] for user in source_users(source)]
    assert len(target.tokens()) == 60


def count(target: Target) -> int:
    try:
        [(number,)] = target.rows('SELECT count(*) FROM "user"') or [(0,)]
    except sqlite3.OperationalError:
        # The schema is not there yet, or is being made.
        return 0
    return int(number)


def test_twenty_thousand_users_need_hardly_more_memory_than_one(
    new_medusa_database: Callable[[], str], target: Target, tmp_path: Path
):
    peaks = []
    for number in (1, 20_000):
        source = new_medusa_database()
        add_many(source, number)
        environ = target.environ | {"MEDUSA_AUTH_IMPORT_FROM": source}
        with subprocess.Popen(command("import", "--apply"), env=environ, stdout=subprocess.DEVNULL) as importing:
            _, status, usage = os.wait4(importing.pid, 0)
            importing.returncode = os.waitstatus_to_exitcode(status)
        assert importing.returncode == 0
        peaks.append(usage.ru_maxrss / 1024)
    assert count(target) == 20_000
    assert peaks[1] - peaks[0] < 20, "MB; all of them would be more than 30"
