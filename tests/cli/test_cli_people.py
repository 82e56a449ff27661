"""The command line about people: invites, roles, names, and the mails that follow."""

from __future__ import annotations

import email
import email.policy
import json
import re
from pathlib import Path

import httpx2
from tests.cli.test_cli import cli, serving
from tests.databases import each_database

PASSWORD = "green apples fall"


def mails(tmp_path: Path, kind: str) -> list[str]:
    """The texts of the mails of that kind, the oldest first."""
    texts = []
    for path in sorted((tmp_path / "data" / "mail").glob(f"*-{kind}.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        texts.append(message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    return texts


def invites(tmp_path: Path) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads(cli(tmp_path, "invites", "list", "--json"))
    return listed


def token_in(text: str) -> str:
    return str(re.findall(r"token=(\S+)", text)[0])


def accept(url: str, token: str) -> int:
    body = {"token": token, "user": {"password": PASSWORD}}
    return httpx2.post(f"{url}/admin/invites/accept", json=body).status_code


@each_database
def test_an_invite_is_made_sent_again_and_accepted(tmp_path: Path):
    assert "by mail" in cli(tmp_path, "invites", "create", "--email", "New@b.co", "--role", "developer")
    (invite,) = invites(tmp_path)
    assert (invite["user_email"], invite["role"]) == ("new@b.co", "developer")
    assert invite["id"] in cli(tmp_path, "invites", "list")
    cli(tmp_path, "invites", "resend", invite["id"])
    first, second = map(token_in, mails(tmp_path, "invite"))
    with serving(tmp_path) as (url, _, _):
        assert accept(url, first) == 400
        assert accept(url, second) == 200
        login = {"email": "new@b.co", "password": PASSWORD}
        assert httpx2.post(f"{url}/admin/auth", json=login).json()["user"]["role"] == "developer"
    assert invites(tmp_path) == []


def test_an_invites_link_is_shown_instead_of_a_mail(tmp_path: Path):
    shown = cli(tmp_path, "invites", "create", "--email", "new@b.co", "--link")
    assert "/console/accept-invite#token=" in shown
    assert mails(tmp_path, "invite") == []
    with serving(tmp_path) as (url, _, _):
        assert accept(url, token_in(shown)) == 200


def test_a_withdrawn_invite_is_no_good(tmp_path: Path):
    token = token_in(cli(tmp_path, "invites", "create", "--email", "new@b.co", "--link"))
    (invite,) = invites(tmp_path)
    cli(tmp_path, "invites", "revoke", invite["id"])
    assert "doesn't exist" in cli(tmp_path, "invites", "revoke", invite["id"], status=1)
    with serving(tmp_path) as (url, _, _):
        assert accept(url, token) == 400


def test_a_wrong_address_and_a_user_are_not_invited(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--password-stdin", stdin=PASSWORD)
    assert "existing account" in cli(tmp_path, "invites", "create", "--email", "A@b.co", status=1)
    assert "not an email address" in cli(tmp_path, "invites", "create", "--email", "a@b", status=1)
    assert invites(tmp_path) == []


def test_a_role_and_names_are_changed(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--role", "member", "--password-stdin", stdin=PASSWORD)
    assert "a@b.co is admin, Ada." in cli(
        tmp_path, "users", "update", "--email", "a@b.co", "--role", "admin", "--first-name", "Ada"
    )
    (user,) = json.loads(cli(tmp_path, "users", "list", "--json"))
    assert (user["role"], user["first_name"], user["last_name"]) == ("admin", "Ada", None)
    assert "no name" in cli(tmp_path, "users", "update", "--email", "a@b.co", "--first-name", "")


@each_database
def test_a_role_that_was_taken_is_gone_at_the_next_request(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--password-stdin", stdin=PASSWORD)
    with serving(tmp_path) as (url, _, _), httpx2.Client(base_url=url) as client:
        client.post("/admin/auth", json={"email": "a@b.co", "password": PASSWORD})
        invite = {"user": "new@b.co", "role": "member"}
        assert client.post("/admin/invites", json=invite).status_code == 200
        cli(tmp_path, "users", "update", "--email", "a@b.co", "--role", "member")
        assert client.post("/admin/invites", json=invite).status_code == 403


def test_a_weak_password_is_warned_of_and_a_new_one_told_by_mail(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--password-stdin", stdin="secret")
    cli(tmp_path, "users", "set-password", "--email", "a@b.co", "--password-stdin", stdin=PASSWORD)
    (text,) = mails(tmp_path, "password_changed")
    assert "a@b.co" in text
    (text,) = mails(tmp_path, "new_administrator")
    assert "as admin" in text
