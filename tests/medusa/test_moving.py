"""People of a real Medusa move to this server: its own rows, hashes and API tokens."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from tests.cli.moving import Target, command, counts, run_import
from tests.cli.test_cli import serving
from tests.medusa.real_medusa import RealMedusa, real_medusa

from medusa_auth import Medusa

pytestmark = pytest.mark.medusa

TOKEN = "the-token-that-scripts-have"


@pytest.fixture(scope="module")
def medusa() -> Iterator[RealMedusa]:
    """A Medusa of its own, with users and invites that were made over its API."""
    with real_medusa() as running:
        with Medusa(running.base_url) as client:
            client.admin.auth.create_session(running.login)
            users, invites = client.admin.users, client.admin.invites
            ada = users.create(email="Ada@medusa-test.com", password="lovelace", first_name="Ada", role="admin").user
            users.update(ada.id, api_token=TOKEN, metadata={"a": {"b": 1}})
            users.delete(users.create(email="gone@medusa-test.com", password="x").user.id)
            for address in ("new", "accepted"):
                invites.create(user=f"{address}@medusa-test.com", role="developer")
            [token] = [invite.token for invite in invites.list().invites if invite.user_email.startswith("accepted")]
            invites.accept(token=token or "", user={"password": "joined", "first_name": "A", "last_name": "B"})
        yield running


def test_the_people_of_a_real_medusa_sign_in_here(medusa: RealMedusa, tmp_path: Path):
    target = Target(tmp_path)
    dry = run_import(target, medusa.database_url)
    said = run_import(target, medusa.database_url, "--apply")
    assert counts(dry) == counts(said)
    assert counts(said)["new"] == (3, 1)
    assert counts(said)["new, deleted in Medusa"] == (1, 0)
    link = subprocess.run(
        command("invites", "resend", invite_id(medusa), "--link"),
        env=target.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with serving(tmp_path) as (url, told, _):
        assert "first administrator" not in told
        for login in (
            medusa.login,
            {"email": "ada@medusa-test.com", "password": "lovelace"},
            {"email": "accepted@medusa-test.com", "password": "joined"},
        ):
            here = httpx2.post(f"{url}/admin/auth", json=login)
            there = httpx2.post(f"{medusa.base_url}/admin/auth", json=login, trust_env=False)
            assert here.status_code == there.status_code == 200
            ours, theirs = here.json()["user"], there.json()["user"]
            # Ours never answers with an API token.
            assert {**theirs, "api_token": None} == {**ours, "api_token": None}
        gone = {"email": "gone@medusa-test.com", "password": "x"}
        assert httpx2.post(f"{url}/admin/auth", json=gone).status_code == 401
        user = httpx2.get(f"{url}/admin/auth", headers={"x-medusa-access-token": TOKEN}).json()["user"]
        assert (user["email"], user["metadata"]) == ("ada@medusa-test.com", {"a": {"b": 1}})
        [token] = re.findall(r"token=(\S+)", link)
        accepted = {"token": token, "user": {"password": "green apples fall"}}
        assert httpx2.post(f"{url}/admin/invites/accept", json=accepted).status_code == 200
        new = {"email": "new@medusa-test.com", "password": "green apples fall"}
        assert httpx2.post(f"{url}/admin/auth", json=new).json()["user"]["role"] == "developer"
    assert counts(run_import(target, medusa.database_url, "--apply"))["already there"] == (4, 0)


def invite_id(medusa: RealMedusa) -> str:
    with psycopg.connect(medusa.database_url) as connection:
        [(found,)] = connection.execute("SELECT id FROM invite WHERE NOT accepted").fetchall()
    return str(found)


def test_a_migration_beside_a_real_medusa_leaves_it_running_as_it_was(medusa: RealMedusa, tmp_path: Path):
    target = Target(tmp_path, medusa.database_url)
    for said in ("Medusa's invite and user stood there already", "Nothing to do"):
        done = subprocess.run(command("migrate"), env=target.environ, capture_output=True, text=True, check=True)
        assert said in done.stdout
    with Medusa(medusa.base_url) as client:
        client.admin.auth.create_session(medusa.login)
        made = client.admin.users.create(email="later@medusa-test.com", password="x").user
        assert client.admin.users.delete(made.id).deleted
