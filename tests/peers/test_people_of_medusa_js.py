"""The users and invites of the published medusa-js, against our server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.databases import each_database
from tests.peers.peer import run_peer
from tests.server.helpers import EMAIL, PASSWORD, Running
from tests.server.mailbox import Mailbox

from medusa_auth.model import Role
from medusa_auth.wire import timestamp

pytestmark = each_database

NEW = "Ada@example.com"
ADA = "ada@example.com"
FIRST = "a first password for ada"
SECOND = "a second password for ada"
USER_KEYS = [
    "id",
    "created_at",
    "updated_at",
    "deleted_at",
    "role",
    "email",
    "first_name",
    "last_name",
    "api_token",
    "metadata",
]
Call = tuple[str, list[Any]]


class Js:
    """medusa-js with an API token of the admin's, or of nobody."""

    def __init__(self, server: Running, api_key: str | None) -> None:
        self._base = {"base_url": server.url, "apiKey": api_key}

    def all(self, *calls: Call) -> list[dict[str, Any]]:
        """What became of each call, in order."""
        asked = [{"call": name, "args": args} for name, args in calls]
        outcomes: list[dict[str, Any]] = run_peer("medusa_js_calls.js", {**self._base, "calls": asked})
        return outcomes

    def one(self, name: str, *args: Any) -> dict[str, Any]:
        [outcome] = self.all((name, list(args)))
        return outcome


@pytest.fixture
def js(server: Running) -> Js:
    return Js(server, server.api_token()[0])


@pytest.fixture
def nobody(server: Running) -> Js:
    return Js(server, None)


@pytest.fixture
def mailbox(server: Running) -> Mailbox:
    return Mailbox.of(server)


def refused(outcome: dict[str, Any]) -> tuple[int, str, str]:
    """Status, type and message as `error.response` has them."""
    error = outcome["error"]
    assert not outcome["ok"]
    assert error["isAxiosError"]
    return error["status"], error["data"]["type"], error["data"]["message"]


def sign_in(server: Running, email: str, password: str) -> httpx2.Response:
    return httpx2.post(f"{server.url}/admin/auth", json={"email": email, "password": password})


def ada(server: Running, role: Role = Role.MEMBER) -> str:
    """The id of a user with the first password."""
    client = server.sign_in()
    body = {"email": NEW, "password": FIRST, "first_name": "Ada", "role": role}
    return str(client.post("/admin/users", json=body).json()["user"]["id"])


def test_it_makes_shows_changes_and_deletes_a_user(server: Running, js: Js):
    made = js.one("users.create", {"email": NEW, "password": FIRST, "first_name": "Ada", "role": "developer"})
    user = made["data"]["user"]
    assert (made["status"], sorted(user)) == (200, sorted(USER_KEYS))
    assert (user["email"], user["role"], user["first_name"], user["last_name"]) == (ADA, "developer", "Ada", None)
    changes = {"first_name": None, "last_name": "L", "role": "member", "metadata": {"a": [1, None, {"b": ""}]}}
    shown, changed, deleted, gone, again = js.all(
        ("users.retrieve", [user["id"]]),
        ("users.update", [user["id"], changes]),
        ("users.delete", [user["id"]]),
        ("users.retrieve", [user["id"]]),
        ("users.delete", [user["id"]]),
    )
    assert (shown["status"], shown["data"]) == (200, {"user": user})
    assert changed["data"]["user"] == {**user, **changes}
    assert (deleted["status"], deleted["data"]) == (200, {"id": user["id"], "object": "user", "deleted": True})
    assert refused(gone) == (404, "not_found", f"User with id: {user['id']} was not found")
    assert again["data"] == deleted["data"]
    assert sign_in(server, NEW, FIRST).status_code == 401


def test_a_user_that_it_makes_can_sign_in_and_is_told_by_mail(server: Running, js: Js, mailbox: Mailbox):
    js.one("users.create", {"email": NEW, "password": FIRST})
    answer = sign_in(server, ADA, FIRST)
    assert (answer.status_code, answer.json()["user"]["role"]) == (200, "member")
    assert mailbox.recipients("new_administrator", 2) == [ADA, EMAIL]


def test_it_gives_a_user_an_api_token_that_works_and_takes_it_away(server: Running, js: Js):
    user_id, token = ada(server), "a token that ada chose"
    given = js.one("users.update", user_id, {"api_token": token})
    assert given["data"]["user"]["api_token"] is None
    assert Js(server, token).one("auth.getSession")["data"]["user"]["id"] == user_id
    assert js.one("users.update", user_id, {"api_token": None})["status"] == 200
    assert Js(server, token).one("auth.getSession")["status"] == 401


def test_it_lists_all_users_and_those_that_a_query_asks_for(server: Running, js: Js):
    ada(server, Role.DEVELOPER)
    moment = timestamp(server.clock())
    before = timestamp(server.clock() - timedelta(seconds=1))
    plain, *queried = js.all(
        ("users.list", []),
        ("users.list", [{"q": "ADA"}]),
        ("users.list", [{"email": ADA}]),
        ("users.list", [{"role": "developer"}]),
        ("users.list", [{"order": "email", "limit": 1}]),
        ("users.list", [{"order": "-email", "limit": 1, "offset": 1}]),
        ("users.list", [{"created_at": {"lt": before}}]),
        ("users.list", [{"created_at": {"gte": moment}, "first_name": "Ada"}]),
    )
    page = plain["data"]
    assert (plain["status"], page["count"], page["offset"], page["limit"]) == (200, 2, 0, 50)
    assert sorted(user["email"] for user in page["users"]) == [ADA, EMAIL]
    assert [sorted(user) for user in page["users"]] == [sorted(USER_KEYS)] * 2
    emails = [[user["email"] for user in each["data"]["users"]] for each in queried]
    assert emails == [[ADA], [ADA], [ADA], [ADA], [ADA], [], [ADA]]
    assert [each["data"]["count"] for each in queried] == [1, 1, 1, 2, 2, 0, 1]


def test_it_lists_users_by_several_ids_and_only_some_fields(server: Running, js: Js):
    user_id = ada(server)
    ids, fields = js.all(("users.list", [{"id": [user_id, "usr_none"]}]), ("users.list", [{"fields": "email,role"}]))
    assert [user["id"] for user in ids["data"]["users"]] == [user_id]
    assert all(list(user) == ["id", "created_at", "role", "email"] for user in fields["data"]["users"])


def test_its_errors_carry_our_messages(server: Running, js: Js):
    user_id = ada(server)
    wrong, taken, weak, unknown, query = js.all(
        ("users.create", [{"email": "a", "password": 1, "zeta": 1}]),
        ("users.create", [{"email": ADA.upper(), "password": FIRST}]),
        ("users.create", [{"email": "new@example.com", "password": "short"}]),
        ("users.update", ["usr_none", {}]),
        ("users.list", [{"zeta": 1}]),
    )
    message = "property zeta should not exist, email must be an email, password must be a string"
    assert refused(wrong) == (400, "invalid_data", message)
    assert refused(taken) == (400, "invalid_data", "A user with the same email already exists.")
    assert refused(weak)[::2] == (400, "The password is too short: it needs at least 8 characters.")
    assert refused(unknown) == (404, "not_found", "User with id: usr_none was not found")
    assert refused(query) == (400, "invalid_data", "property zeta should not exist")
    assert refused(js.one("users.update", user_id, {"role": "owner"}))[2].startswith("role must be one of")


def test_without_a_credential_it_may_do_nothing_that_needs_one(server: Running, nobody: Js):
    calls: list[Call] = [
        ("users.list", []),
        ("users.retrieve", ["usr_1"]),
        ("users.create", [{"email": NEW, "password": FIRST}]),
        ("users.update", ["usr_1", {}]),
        ("users.delete", ["usr_1"]),
        ("invites.list", []),
        ("invites.create", [{"user": NEW, "role": "admin"}]),
        ("invites.resend", ["invite_1"]),
        ("invites.delete", ["invite_1"]),
    ]
    outcomes = nobody.all(*calls)
    assert [(each["status"], each["error"]["data"]) for each in outcomes] == [(401, "Unauthorized")] * len(calls)


def test_a_cookie_header_is_as_good_as_an_api_token(server: Running, nobody: Js):
    cookie = {"Cookie": f"connect.sid={server.sign_in().cookies['connect.sid']}"}
    listed, made, invited, invites = nobody.all(
        ("users.list", [None, cookie]),
        ("users.create", [{"email": NEW, "password": FIRST}, cookie]),
        ("invites.create", [{"user": "b@example.com", "role": "member"}, cookie]),
        ("invites.list", [cookie]),
    )
    assert [user["email"] for user in listed["data"]["users"]] == [EMAIL]
    assert made["data"]["user"]["email"] == ADA
    assert invited["status"] == 200
    assert [invite["user_email"] for invite in invites["data"]["invites"]] == ["b@example.com"]


def test_a_member_is_told_that_it_may_not(server: Running):
    ada(server)
    cookie = {"Cookie": f"connect.sid={sign_in(server, ADA, FIRST).cookies['connect.sid']}"}
    listed, made, invited = Js(server, None).all(
        ("users.list", [None, cookie]),
        ("users.create", [{"email": "b@example.com", "password": FIRST}, cookie]),
        ("invites.create", [{"user": "b@example.com", "role": "admin"}, cookie]),
    )
    assert listed["status"] == 200
    assert refused(made)[::2] == (403, "Your role, member, may not make, change and delete other users.")
    assert refused(invited)[::2] == (403, "Your role, member, may not invite, invite again and withdraw invites.")


def test_a_reset_changes_the_password_and_ends_the_sessions(server: Running, nobody: Js, mailbox: Mailbox):
    user_id = ada(server)
    session = {"Cookie": f"connect.sid={sign_in(server, ADA, FIRST).cookies['connect.sid']}"}
    asked = nobody.one("users.sendResetPasswordToken", {"email": NEW})
    assert (asked["status"], asked["data"]) == (204, {})
    token = mailbox.token(ADA)
    weak, done, again, over = nobody.all(
        ("users.resetPassword", [{"token": token, "password": "short"}]),
        ("users.resetPassword", [{"token": token, "password": SECOND, "email": ADA}]),
        ("users.resetPassword", [{"token": token, "password": FIRST}]),
        ("auth.getSession", [session]),
    )
    assert refused(weak)[0] == 400
    assert (done["status"], done["data"]["user"]["id"]) == (200, user_id)
    assert (again["status"], again["error"]["data"]) == (401, "Invalid or expired password reset token")
    assert over["status"] == 401
    assert [sign_in(server, ADA, password).status_code for password in (FIRST, SECOND)] == [401, 200]
    assert mailbox.recipients("password_changed", 1) == [ADA]


def test_who_asks_for_a_reset_of_nobodys_password_is_told_the_same(nobody: Js):
    asked, wrong = nobody.all(
        ("users.sendResetPasswordToken", [{"email": "nobody@example.com"}]),
        ("users.sendResetPasswordToken", [{"email": "nobody"}]),
    )
    assert (asked["status"], asked["data"]) == (204, {})
    assert refused(wrong) == (400, "invalid_data", "email must be an email")


def test_a_reset_needs_a_token_of_ours_and_the_address_it_was_sent_to(server: Running, nobody: Js, mailbox: Mailbox):
    ada(server)
    nobody.one("users.sendResetPasswordToken", {"email": ADA})
    token = mailbox.token(ADA)
    attempts = [
        {"token": "a.b.c", "password": SECOND},
        {"token": f"{token}x", "password": SECOND},
        {"token": token, "password": SECOND, "email": EMAIL},
    ]
    outcomes = nobody.all(*(("users.resetPassword", [attempt]) for attempt in attempts))
    assert [outcome["status"] for outcome in outcomes] == [401] * 3
    assert sign_in(server, ADA, FIRST).status_code == 200


def test_an_invite_that_is_accepted_makes_a_user_who_can_sign_in(server: Running, js: Js, nobody: Js, mailbox: Mailbox):
    invited, listed = js.all(("invites.create", [{"user": NEW, "role": "developer"}]), ("invites.list", []))
    [invite] = listed["data"]["invites"]
    # medusa-js spreads the answer, which is a text here, into an object.
    assert (invited["status"], invited["data"]) == (200, {"0": "O", "1": "K"})
    assert (invite["user_email"], invite["role"], invite["accepted"], invite["token"]) == (
        ADA,
        "developer",
        False,
        None,
    )
    who = {"first_name": "Ada", "last_name": "L", "password": FIRST}
    token = mailbox.token(ADA)
    accepted, again = nobody.all(*[("invites.accept", [{"token": token, "user": who}])] * 2)
    assert accepted["status"] == 200
    assert refused(again) == (400, "invalid_data", "Invalid invite")
    user = sign_in(server, ADA, FIRST).json()["user"]
    assert (user["role"], user["first_name"], user["last_name"]) == ("developer", "Ada", "L")
    assert js.one("invites.list")["data"]["invites"] == []


def test_a_resent_invite_has_a_new_token_and_the_older_one_is_over(
    server: Running, js: Js, nobody: Js, mailbox: Mailbox
):
    js.one("invites.create", {"user": ADA, "role": "member"})
    older = mailbox.token(ADA)
    [invite] = js.one("invites.list")["data"]["invites"]
    assert js.one("invites.resend", invite["id"])["status"] == 200
    newer = mailbox.token(ADA)
    who = {"password": FIRST}
    refusal, accepted = nobody.all(*(("invites.accept", [{"token": token, "user": who}]) for token in (older, newer)))
    assert refused(refusal) == (400, "invalid_data", "Invalid invite")
    assert accepted["status"] == 200
    assert sign_in(server, ADA, FIRST).status_code == 200


def test_an_invite_that_is_withdrawn_is_over(server: Running, js: Js, nobody: Js, mailbox: Mailbox):
    js.one("invites.create", {"user": ADA, "role": "member"})
    token = mailbox.token(ADA)
    [invite] = js.one("invites.list")["data"]["invites"]
    deleted, again, resent, accepted, left = js.all(
        ("invites.delete", [invite["id"]]),
        ("invites.delete", [invite["id"]]),
        ("invites.resend", [invite["id"]]),
        ("invites.accept", [{"token": token, "user": {"password": FIRST}}]),
        ("invites.list", []),
    )
    assert (deleted["status"], deleted["data"]) == (200, {"id": invite["id"], "object": "invite", "deleted": True})
    assert again["data"] == deleted["data"]
    assert refused(resent) == (400, "invalid_data", "Invite doesn't exist")
    assert refused(accepted) == (400, "invalid_data", "Invalid invite")
    assert left["data"]["invites"] == []


def test_what_is_wrong_with_an_invite_is_said(js: Js, nobody: Js):
    wrong, taken, forged, empty = js.all(
        ("invites.create", [{"user": "a", "role": "owner"}]),
        ("invites.create", [{"user": EMAIL, "role": "admin"}]),
        ("invites.accept", [{"token": "a.b.c", "user": {"password": PASSWORD}}]),
        ("invites.accept", [{}]),
    )
    roles = "role must be one of the following values: admin, member, developer"
    assert refused(wrong) == (400, "invalid_data", f"user must be an email, {roles}")
    assert refused(taken) == (400, "invalid_data", "Can't invite a user with an existing account")
    assert refused(forged) == (400, "invalid_data", "Token is not valid")
    assert refused(empty)[2] == "token should not be empty, token must be a string, user should not be empty"
