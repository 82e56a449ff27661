"""Our servers and a real Medusa on the same PostgreSQL and Redis: users, invites and tokens, from either side."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.medusa.beside import PASSWORD, Beside, Side, beside, login, serving_beside, until
from tests.medusa.real_medusa import RealMedusa
from tests.medusa.test_people import reset_token
from tests.peers.peer import run_peer

from medusa_auth.core.jwts import Jwts
from medusa_auth.core.passwords import Scrypt

pytestmark = pytest.mark.medusa

SIDES = pytest.mark.parametrize("first", ["ours", "medusa"])
NEW_PASSWORD = "eight green hats in a tree"
GOOD, BAD = [200, 200, 200], [401, 401, 401]


@pytest.fixture(scope="module")
def both(real: RealMedusa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    with beside(real, tmp_path_factory.mktemp("shared-people")) as both:
        yield both


@pytest.fixture
def email() -> str:
    return f"user-{secrets.token_hex(4)}@medusa-test.com"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def api_key(token: str) -> dict[str, str]:
    return {"x-medusa-access-token": token}


def password_hash(both: Beside, user: dict[str, Any]) -> str:
    return str(both.execute('SELECT password_hash FROM "user" WHERE id = %s', user["id"])[0][0])


def cost(hashed: str) -> tuple[int, int, int]:
    """log2(N), r and p."""
    header = base64.b64decode(hashed)
    return header[7], int.from_bytes(header[8:12], "big"), int.from_bytes(header[12:16], "big")


def next_second() -> None:
    """What ends all of a user's access tokens does so from the next whole second on."""
    time.sleep(1 - time.time() % 1)


# Access tokens


@SIDES
def test_an_access_token_of_either_side_is_good_on_both(both: Beside, first: str):
    here, _ = both.pair(first)
    token = here.access_token(both.real.login)
    assert both.statuses(**bearer(token)) == GOOD
    assert both.medusa.status("/admin/users", **bearer(token)) == 200


@SIDES
def test_a_logout_here_ends_an_access_token_here_and_medusa_goes_on_taking_it(both: Beside, first: str):
    here, _ = both.pair(first)
    token = here.access_token(both.real.login)
    assert both.statuses(**bearer(token)) == GOOD
    assert both.ours.call("DELETE", "/admin/auth", **bearer(token)).status == 200
    until(lambda: both.statuses(**bearer(token)) == [200, 401, 401])


def test_a_token_that_was_signed_for_something_else_opens_nothing(both: Beside):
    user_id = both.execute('SELECT id FROM "user" WHERE email = %s', both.real.email)[0][0]
    jwts, now = Jwts([both.real.jwt_secret.encode()]), int(time.time())
    times = {"iat": now, "exp": now + 600}
    for claims in (
        {"user_id": user_id, "domain": "store"},
        {"customer_id": user_id, "domain": "store"},
        {"user_id": user_id},
        {"user_id": f"{user_id}\0", "domain": "store"},
        {"invite_id": "invite_1", "role": "admin", "user_email": both.real.email},
        {"invite_id": "invite_1", "role": "admin", "user_email": both.real.email, "user_id": user_id},
    ):
        assert both.statuses(**bearer(jwts.sign({**claims, **times}))) == BAD


# Users


@SIDES
def test_a_user_who_is_made_on_either_side_signs_in_on_both(both: Beside, email: str, first: str):
    here, _ = both.pair(first)
    user = both.user(email, at=here)
    # In this order: a login here makes the hash better.
    for side in both.sides:
        assert side.call("GET", "/admin/auth", Cookie=side.log_in(login(email))).json()["user"]["id"] == user["id"]
    assert both.medusa.call("POST", "/admin/auth", login(email, "wrong")).status == 401
    assert both.ours.call("POST", "/admin/auth", login(email, "wrong")).status == 401


@SIDES
def test_a_change_of_a_user_is_seen_on_both_at_once(both: Beside, email: str, first: str):
    here, _ = both.pair(first)
    user = both.user(email)
    cookie = both.medusa.log_in(login(email))
    assert both.statuses(Cookie=cookie) == GOOD
    changes = {"first_name": "Ada", "last_name": "Lovelace", "role": "developer", "metadata": {"a": [1, "ü"]}}
    both.admin("POST", f"/admin/users/{user['id']}", changes, at=here)

    def seen(side: Side) -> dict[str, Any]:
        shown = side.call("GET", "/admin/auth", Cookie=cookie).json()["user"]
        return {name: shown[name] for name in changes}

    until(lambda: all(seen(side) == changes for side in both.sides))


def test_a_role_that_is_given_or_taken_in_medusa_counts_here_at_once(both: Beside, tmp_path: Path, email: str):
    environ = {**both.environ, "MEDUSA_AUTH_ROLES": "on"}
    with serving_beside("strict", tmp_path / "log", environ) as strict:
        user = both.user(email)
        assert user["role"] == "member"
        cookie = both.medusa.log_in(login(email))
        new = {"email": f"other-{email}", "password": PASSWORD}

        def make() -> int:
            return strict.call("POST", "/admin/users", new, Cookie=cookie).status

        assert make() == 403
        both.admin("POST", f"/admin/users/{user['id']}", {"role": "admin"})
        until(lambda: make() in (200, 400))
        both.admin("POST", f"/admin/users/{user['id']}", {"role": "member"})
        until(lambda: make() == 403)


@SIDES
def test_a_deleted_user_is_out_with_every_credential(both: Beside, email: str, first: str):
    here, _ = both.pair(first)
    user = both.user(email)
    token = f"token-{email}"
    both.admin("POST", f"/admin/users/{user['id']}", {"api_token": token})
    cookies = [side.log_in(login(email)) for side in both.sides]
    # Not seen here before the end.
    unseen = both.medusa.log_in(login(email))
    bearers = [side.access_token(login(email)) for side in both.sides]
    credentials = [*({"Cookie": each} for each in cookies), *(bearer(each) for each in bearers), api_key(token)]
    for each in credentials:
        assert both.statuses(**each) == GOOD
    both.admin("DELETE", f"/admin/users/{user['id']}", at=here)

    def here_out() -> bool:
        every = [*credentials, {"Cookie": unseen}]
        return {side.status(**each) for side in (both.ours, both.another) for each in every} == {401}

    until(here_out)
    # Medusa itself: sessions are gone from Redis, and it finds no API token of a deleted user; JWTs are still taken.
    until(lambda: not any(both.session(cookie) for cookie in (*cookies, unseen)))
    assert both.medusa.status("/admin/users", Cookie=unseen) == 401
    assert both.medusa.status("/admin/users", **api_key(token)) == 401
    assert both.medusa.status("/admin/users", **bearer(bearers[0])) == 200


def test_a_password_that_is_reset_in_medusa_ends_everything_from_before(both: Beside, email: str):
    user = both.user(email)
    cookies = [side.log_in(login(email)) for side in both.sides]
    unseen = both.medusa.log_in(login(email))
    bearers = [side.access_token(login(email)) for side in both.sides]
    credentials = [*({"Cookie": each} for each in cookies), *(bearer(each) for each in bearers)]
    for each in credentials:
        assert both.statuses(**each) == GOOD
    body = {"token": reset_token(both.real, user["id"], email), "password": NEW_PASSWORD, "email": email}
    assert both.medusa.call("POST", "/admin/users/reset-password", body).status == 200

    def out() -> bool:
        every = [*credentials, {"Cookie": unseen}]
        return {side.status(**each) for side in (both.ours, both.another) for each in every} == {401}

    until(out)
    until(lambda: not any(both.session(cookie) for cookie in (*cookies, unseen)))
    assert both.medusa.status(Cookie=unseen) == 401
    for side in both.sides:
        assert side.call("POST", "/admin/auth", login(email)).status == 401
    next_second()
    for side in both.sides:
        fresh = side.log_in(login(email, NEW_PASSWORD))
        assert both.statuses(Cookie=fresh) == GOOD
        assert both.statuses(**bearer(side.access_token(login(email, NEW_PASSWORD)))) == GOOD


def test_a_password_that_is_changed_here_counts_in_medusa_and_ends_sessions_there(both: Beside, email: str):
    user = both.user(email)
    cookies = [side.log_in(login(email)) for side in both.sides]
    unseen = both.medusa.log_in(login(email))
    before = both.medusa.access_token(login(email))
    assert [both.statuses(Cookie=each) for each in cookies] == [GOOD] * 3
    assert both.ours.call("POST", "/admin/users/password-token", {"email": email}).status == 204
    body = {"token": both.mailbox.token(email), "password": NEW_PASSWORD, "email": email}
    assert both.ours.call("POST", "/admin/users/reset-password", body).status == 200
    # At once, and not within a second: the search was done before the answer.
    assert [both.session(each) for each in (*cookies, unseen)] == [None] * 4
    until(lambda: all(both.statuses(Cookie=each) == BAD for each in (*cookies, unseen)))
    until(lambda: both.statuses(**bearer(before)) == [200, 401, 401])
    hashed = password_hash(both, user)
    assert cost(hashed) == Scrypt()._cost
    question = {"password": NEW_PASSWORD, "hash_base64": hashed}
    assert run_peer("scrypt_kdf.js", {"verify": [question]})["verify"] == [True]
    assert both.medusa.call("POST", "/admin/auth", login(email)).status == 401
    for side in both.sides:
        assert both.statuses(Cookie=side.log_in(login(email, NEW_PASSWORD))) == GOOD


def test_a_login_right_after_a_password_changed_stays(both: Beside, email: str):
    """Whoever ends the sessions from before must not end those from after."""
    both.user(email)
    for number in range(2):
        both.command("users", "set-password", "--email", email, "--password-stdin", stdin=f"{PASSWORD}{number}\n")
        new = login(email, f"{PASSWORD}{number}")
        made = {side.name: side.log_in(new) for side in both.sides}
        time.sleep(0.5)
        assert {name: both.statuses(Cookie=each) for name, each in made.items()} == dict.fromkeys(made, GOOD)


def test_a_login_here_makes_medusas_hash_better_and_ends_nothing(both: Beside, email: str):
    user = both.user(email)
    cookie, token = both.medusa.log_in(login(email)), both.medusa.access_token(login(email))
    assert (both.statuses(Cookie=cookie), both.statuses(**bearer(token))) == (GOOD, GOOD)
    assert cost(password_hash(both, user)) == (1, 1, 1)
    updated_at = both.execute('SELECT updated_at FROM "user" WHERE id = %s', user["id"])
    both.ours.log_in(login(email))
    assert cost(password_hash(both, user)) == (15, 8, 3)
    assert both.execute('SELECT updated_at FROM "user" WHERE id = %s', user["id"]) == updated_at
    both.medusa.log_in(login(email))
    time.sleep(0.3)
    assert (both.statuses(Cookie=cookie), both.statuses(**bearer(token))) == (GOOD, GOOD)


# Invites


def invite(both: Beside, email: str, side: Side, role: str = "developer") -> tuple[str, str]:
    """The invite's id, and the token that its reader gets."""
    both.admin("POST", "/admin/invites", {"user": email, "role": role}, at=side)
    return open_invite(both, email, side)


def open_invite(both: Beside, email: str, side: Side) -> tuple[str, str]:
    invites = both.admin("GET", "/admin/invites").json()["invites"]
    (made,) = [each for each in invites if each["user_email"] == email]
    return made["id"], made["token"] if side is both.medusa else both.mailbox.token(email)


def accept(side: Side, token: str) -> int:
    who = {"first_name": "Ada", "last_name": "L", "password": PASSWORD}
    return side.call("POST", "/admin/invites/accept", {"token": token, "user": who}).status


@SIDES
def test_an_invite_of_either_side_is_accepted_on_the_other(both: Beside, email: str, first: str):
    here, there = both.pair(first)
    _, token = invite(both, email, here)
    assert accept(there, token) == 200
    user = there.call("GET", "/admin/auth", Cookie=there.log_in(login(email))).json()["user"]
    assert (user["email"], user["role"], user["first_name"]) == (email, "developer", "Ada")
    assert here.log_in(login(email))
    assert [accept(side, token) for side in both.sides] == [400, 400, 400]


@SIDES
def test_an_invite_that_is_withdrawn_on_either_side_is_no_good_on_any(both: Beside, email: str, first: str):
    here, there = both.pair(first)
    for maker in (here, there):
        invite_id, token = invite(both, email, maker)
        both.admin("DELETE", f"/admin/invites/{invite_id}", at=here)
        assert [accept(side, token) for side in both.sides] == [400, 400, 400]


@SIDES
def test_an_invite_that_is_sent_again_on_the_other_side_is_good_on_both(both: Beside, email: str, first: str):
    here, there = both.pair(first)
    invite_id, old = invite(both, email, here)
    next_second()
    both.admin("POST", f"/admin/invites/{invite_id}/resend", at=there)
    _, new = open_invite(both, email, there)
    assert new != old
    # Here the older one is over, as always.
    assert accept(both.ours, old) == 400
    assert accept(here, new) == 200


def test_an_invite_of_medusas_for_somebody_who_is_there_is_no_good_here_in_any_case(both: Beside, email: str):
    both.user(email)
    _, token = invite(both, email.upper(), both.medusa)
    assert accept(both.ours, token) == 400


def test_only_a_token_of_an_invite_that_is_there_is_accepted(both: Beside, email: str):
    invite_id, _ = invite(both, email, both.medusa)
    jwts, now = Jwts([both.real.jwt_secret.encode()]), int(time.time())
    claims = {"invite_id": invite_id, "role": "admin", "user_email": email, "iat": now - 100}
    forged = [claims, {**claims, "jti": "x"}, {**claims, "jti": None}, {**claims, "invite_id": "invite_0", "jti": ""}]
    tokens = [jwts.sign(each) for each in forged]
    tokens += [side.access_token(both.real.login) for side in both.sides]
    for token in tokens:
        assert [accept(side, token) for side in (both.ours, both.another)] == [400, 400]


@SIDES
def test_an_invites_token_is_no_access_token(both: Beside, email: str, first: str):
    here, _ = both.pair(first)
    _, token = invite(both, email, here, role="admin")
    assert both.statuses(**bearer(token)) == BAD
    assert both.statuses(**api_key(token)) == BAD
    # What stands in Medusa's table of one of ours is no token either.
    shown = both.admin("GET", "/admin/invites").json()["invites"]
    (kept,) = [each["token"] for each in shown if each["user_email"] == email]
    assert both.statuses(**bearer(kept)) == BAD
    if here is both.ours:
        assert accept(both.medusa, kept) == 400


# API tokens


@SIDES
def test_an_api_token_that_is_set_on_either_side_counts_on_both_until_it_is_replaced(
    both: Beside, email: str, first: str
):
    here, there = both.pair(first)
    user = both.user(email)
    path = f"/admin/users/{user['id']}"
    for setter, remover in ((here, there), (here, here)):
        old, new = f"old-{secrets.token_hex(8)}", f"new-{secrets.token_hex(8)}"
        both.admin("POST", path, {"api_token": old}, at=setter)
        until(lambda: both.statuses(**api_key(old)) == GOOD)  # noqa: B023
        both.admin("POST", path, {"api_token": new}, at=remover)
        until(lambda: both.statuses(**api_key(old)) == BAD and both.statuses(**api_key(new)) == GOOD)  # noqa: B023
        both.admin("POST", path, {"api_token": ""}, at=both.ours)
        until(lambda: both.statuses(**api_key(new)) == BAD)  # noqa: B023


def test_the_first_api_token_of_the_command_line_counts_in_medusa_until_it_is_revoked(both: Beside, email: str):
    user = both.user(email)
    first, second = (
        both.command("tokens", "create", "--email", email, "--name", name).strip() for name in ("one", "two")
    )
    assert both.statuses(**api_key(first)) == GOOD
    # Medusa knows one of each user.
    assert both.statuses(**api_key(second)) == [401, 200, 200]
    listed = json.loads(both.command("tokens", "list", "--json"))
    ids = [each["id"] for each in listed if each["user_id"] == user["id"]]
    assert len(ids) == 2
    for each in ids:
        both.command("tokens", "revoke", each)
    until(lambda: both.statuses(**api_key(first)) == BAD and both.statuses(**api_key(second)) == BAD)


def test_a_token_that_two_users_have_is_nobodys_here(both: Beside, email: str):
    token = f"same-{secrets.token_hex(8)}"
    users = [both.user(f"{n}-{email}") for n in range(2)]
    for user in users:
        both.admin("POST", f"/admin/users/{user['id']}", {"api_token": token})
    assert both.statuses(**api_key(token)) == [200, 401, 401]
    taken = both.ours.call(
        "POST",
        f"/admin/users/{users[0]['id']}",
        {"api_token": token},
        **bearer(both.ours.access_token(both.real.login)),
    )
    assert taken.status == 400


@pytest.mark.parametrize("token", ["%", "_", "a%", "'", "' OR 1=1 --", "\\", "*", " "])
def test_an_api_token_is_compared_and_not_matched(both: Beside, email: str, token: str):
    user = both.user(email)
    both.admin("POST", f"/admin/users/{user['id']}", {"api_token": f"a-{secrets.token_hex(8)}"})
    assert [side.status(**api_key(token)) for side in (both.ours, both.another)] == [401, 401]


@pytest.mark.parametrize("token", ["a-token-with-\0-in-it", "\0", "\ud800" * 20, "a-token-with-a\nline"])
def test_an_api_token_that_no_header_can_carry_cannot_be_set_here(both: Beside, email: str, token: str):
    user = both.user(email)
    headers = bearer(both.admin_token)
    assert both.ours.call("POST", f"/admin/users/{user['id']}", {"api_token": token}, **headers).status == 400


def test_medusas_empty_api_token_is_nobodys(both: Beside, email: str):
    user = both.user(email)
    both.admin("POST", f"/admin/users/{user['id']}", {"api_token": ""})
    assert both.statuses(**api_key("")) == BAD
