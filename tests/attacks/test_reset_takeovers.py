"""Nobody sets a password but who has the mail: tokens of others, forged ones, old ones, and ones for another door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.attacks.siege import (
    NEW_PASSWORD,
    accept,
    add_user,
    api_key,
    bearer,
    call,
    cookie,
    delete_user,
    deliver,
    find_user,
    invite,
    invites,
    mails,
    new_address,
    reset,
    reset_token,
    sign_in,
)
from tests.databases import each_database
from tests.server.helpers import EMAIL, PASSWORD, Running, run

from medusa_auth.core.passwords import Argon2id
from medusa_auth.model import Role

pytestmark = each_database

JSON_VALUES: list[Any] = [
    None,
    True,
    0,
    1.5,
    "",
    [],
    {},
    ["x"],
    [["x"]],
    {"$ne": ""},
    {"toString": 1},
    {"length": 1},
    "\0",
    "\ud800",
    "a" * 90_000,
]


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(claims: Any, key: bytes, header: Any = None, digest: Any = hashlib.sha256) -> str:
    signed = f"{_part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = hmac.new(key, signed.encode(), digest).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.asvs("6.4.3")
def test_the_token_of_one_user_does_not_set_the_password_of_another(server: Running):
    attacker, victim = add_user(server), add_user(server)
    token = reset_token(server, attacker)
    assert reset(server, token, email=victim.email).status == 401
    assert sign_in(server, victim, NEW_PASSWORD).status == 401
    assert reset(server, token, email=attacker.email.upper()).status == 200
    assert sign_in(server, victim).status == 200
    assert sign_in(server, attacker, NEW_PASSWORD).status == 200


@pytest.mark.parametrize("value", JSON_VALUES, ids=range(len(JSON_VALUES)))
@pytest.mark.parametrize("field", ["token", "email", "password"])
def test_what_is_no_text_in_a_reset_is_refused_and_sets_nothing(shared_server: Running, field: str, value: Any):
    user = add_user(shared_server)
    token = reset_token(shared_server, user)
    body = {"token": token, "email": user.email, "password": NEW_PASSWORD} | {field: value}
    # An email that is null counts as none, and a password may be half a pair and any length but not this one.
    accepted = field == "email" and value is None
    answer = call(shared_server, "POST", "/admin/users/reset-password", body)
    assert answer.status == 200 if accepted else answer.status in {400, 401}
    assert (sign_in(shared_server, user).status == 200) is not accepted


@pytest.mark.parametrize("value", JSON_VALUES, ids=range(len(JSON_VALUES)))
@pytest.mark.parametrize(
    "path", ["/admin/users/password-token", "/admin/invites/accept", "/admin/users/reset-password"]
)
def test_a_body_of_nonsense_is_refused(shared_server: Running, path: str, value: Any):
    for body in (
        value,
        {"email": value},
        {"token": value, "user": value, "password": value, "email": value},
        {"token": value, "user": {"password": value, "first_name": value}},
    ):
        assert call(shared_server, "POST", path, body).status in {400, 401, 413}


@pytest.mark.asvs("6.4.3")
@pytest.mark.parametrize("twin", ["\uff21dmin@example.com", "ADMIN@EXAMPLE.COM", "\u1d43dmin@example.com"])
def test_a_twin_of_the_address_brings_the_mail_to_the_stored_address_alone(server: Running, twin: str):
    assert call(server, "POST", "/admin/users/password-token", {"email": twin}).status == 204
    deliver(server)
    assert len(mails(server, EMAIL, "password_reset")) == 1
    assert len(list((server.parts.settings.data_dir / "mail").iterdir())) == 1


@pytest.mark.parametrize(
    "address",
    [
        "admin@example.com,evil@example.net",
        "evil@example.net admin@example.com",
        "admin@example.com\r\nBcc: e@e.co",
        '"admin@example.com"@example.net',
        "admin@example.com@example.net",
        "adm\u0131n@example.com",
        "admin@example.co",
    ],
)
def test_an_address_that_only_looks_like_the_administrators_brings_no_mail(shared_server: Running, address: str):
    assert call(shared_server, "POST", "/admin/users/password-token", {"email": address}).status in {204, 400}
    body = {"email": [address, EMAIL]}
    assert call(shared_server, "POST", "/admin/users/password-token", body).status == 400
    deliver(shared_server)
    assert not mails(shared_server, EMAIL, "password_reset")


@pytest.mark.asvs("6.5.1")
def test_a_token_is_good_once(server: Running):
    user = add_user(server)
    token = reset_token(server, user)
    assert reset(server, token).status == 200
    assert reset(server, token, "another good password").status == 401
    assert sign_in(server, user, NEW_PASSWORD).status == 200


def test_the_use_of_one_token_ends_all_others_of_the_user(server: Running):
    user = add_user(server)
    tokens = [reset_token(server, user) for _ in range(3)]
    assert len(set(tokens)) == 3
    assert reset(server, tokens[1]).status == 200
    assert [reset(server, token, PASSWORD).status for token in tokens] == [401] * 3


def test_a_token_ends_with_its_quarter_of_an_hour(server: Running):
    token = reset_token(server, add_user(server))
    late = reset_token(server, server.user)
    server.clock.advance(minutes=15, seconds=-1)
    assert reset(server, token).status == 200
    server.clock.advance(seconds=1)
    assert reset(server, late).status == 401


def test_a_token_ends_when_the_password_changes_by_another_way(server: Running):
    user = add_user(server)
    token = reset_token(server, user)
    server.write(lambda tx: server.parts.users.set_password(tx, user, "anything", server.clock()))
    assert reset(server, token).status == 401


def test_a_token_ends_when_medusa_itself_changes_the_password(server: Running):
    """A Medusa on the same table writes the column, and knows nothing of our records."""
    user = add_user(server)
    token = reset_token(server, user)
    server.write(lambda tx: tx.users.set_password_hash(user.id, "medusas"))
    assert reset(server, token).status == 401


def test_a_token_that_medusa_issues_while_the_new_password_is_hashed_has_ended(
    server: Running, monkeypatch: pytest.MonkeyPatch
):
    """Hashing may have to wait; Medusa's tokens have no epoch, and say when they were issued."""
    user = add_user(server)
    token, kept = reset_token(server, user), server.parts.passwords._current

    class Slow(Argon2id):
        def hash(self, password: str) -> str:
            server.clock.advance(seconds=20)
            return kept.hash(password)

    monkeypatch.setattr(server.parts.passwords, "_current", Slow())
    run(lambda: server.parts.team.reset_password(token, None, NEW_PASSWORD, server.clock))
    now = int(server.clock().timestamp())
    key = server.parts.settings.jwt_keys[0].encode()
    claims = {"user_id": user.id, "domain": "admin", "exp": now + 3600}
    statuses = {age: server.bearer(forged({**claims, "iat": now - age}, key)).status_code for age in (30, 10, 0, -1)}
    assert statuses == {30: 401, 10: 401, 0: 401, -1: 200}


@pytest.mark.asvs("7.4.2")
def test_a_token_does_not_set_the_password_of_an_account_that_was_made_anew(server: Running):
    user = add_user(server)
    token, (theirs, key) = reset_token(server, user), (bearer(server, user), api_key(server, user))
    delete_user(server, user)
    assert reset(server, token).status == 401
    anew = add_user(server, address=user.email)
    assert reset(server, token).status == 401
    assert reset(server, token, email=user.email).status == 401
    assert sign_in(server, anew).status == 200
    assert {call(server, "GET", "/admin/auth", headers=headers).status for headers in (theirs, key)} == {401}


def test_a_token_stays_good_when_the_role_changes(server: Running):
    user = add_user(server)
    token = reset_token(server, user)
    assert call(server, "POST", f"/admin/users/{user.id}", {"role": "developer"}, bearer(server)).status == 200
    assert reset(server, token).status == 200
    found = find_user(server, user.email)
    assert found is not None
    assert found.role is Role.DEVELOPER


def test_a_password_that_is_not_good_enough_does_not_use_the_token_up(server: Running):
    user = add_user(server)
    token = reset_token(server, user)
    for bad in ("", "short", "password123", user.email, "x" * 1025):
        assert reset(server, token, bad).status == 400
    assert reset(server, token).status == 200


def _kept_hash(server: Running, user_id: str) -> bytes:
    return (server.write(lambda tx: tx.users.get_password_hash(user_id)) or "").encode()


KEYS: dict[str, Callable[[Running, str], bytes]] = {
    "the user's password hash": _kept_hash,
    "the secret of access tokens": lambda server, _: server.parts.settings.jwt_keys[0].encode(),
    "the secret of cookies": lambda server, _: server.parts.settings.cookie_keys[0].encode(),
    "nothing": lambda _server, _user: b"",
    "the purpose": lambda _server, _user: b"medusa-auth link token: password reset",
}


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize("whose", KEYS)
def test_a_token_that_is_signed_with_another_key_is_refused_everywhere(shared_server: Running, whose: str):
    user = add_user(shared_server)
    good = claims_of(reset_token(shared_server, user))
    key = KEYS[whose](shared_server, user.id)
    for claims in (good, {"user_id": user.id, "email": user.email, "exp": good["exp"]}):
        token = forged(claims, key)
        assert reset(shared_server, token).status == 401
        assert accept(shared_server, token).status == 400
        assert call(shared_server, "GET", "/admin/auth", headers={"Authorization": f"Bearer {token}"}).status == 401
    assert sign_in(shared_server, user).status == 200


@pytest.mark.asvs("9.1.2")
def test_a_token_of_another_algorithm_is_refused_also_with_the_right_key(shared_server: Running):
    user = add_user(shared_server)
    token = reset_token(shared_server, user)
    secret = shared_server.parts.settings.jwt_keys[0].encode()
    key = hmac.digest(secret, b"medusa-auth link token: password reset", "sha256")
    claims = claims_of(token)
    unsigned = f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."
    attempts = [unsigned, unsigned.rstrip("."), f"{token.rpartition('.')[0]}.", token + "=", token + ".x", f" {token}"]
    attempts += [
        forged(claims, key, {"alg": alg}) for alg in ("none", "None", "HS384", "HS512", "RS256", "hs256", None)
    ]
    attempts += [
        forged(claims, key, {"alg": "HS384"}, hashlib.sha384),
        forged(claims, key, {"alg": "HS256", "crit": ["x"], "x": 1}),
    ]
    attempts += [forged(claims, key, {"alg": "HS256", "jwk": {"kty": "oct", "k": ""}}, hashlib.sha512)]
    assert {reset(shared_server, attempt).status for attempt in attempts} == {401}
    # The key is the right one, or the lines above would prove nothing; a `jti` that was never issued is none.
    assert reset(shared_server, forged(claims | {"jti": "AAAA"}, key)).status == 401
    assert reset(shared_server, forged(claims | {"jti": [claims["jti"]]}, key)).status == 401
    assert reset(shared_server, forged(claims, key)).status == 200


def _credentials(server: Running) -> dict[str, str]:
    """One of each kind, all good."""
    user = add_user(server)
    session = cookie(server)["Cookie"]
    return {
        "session": session.partition("=")[2],
        "session id": session.partition("s%3A")[2].partition(".")[0],
        "access token": bearer(server)["Authorization"].partition(" ")[2],
        "api token": api_key(server)["x-medusa-access-token"],
        "invite": invite(server, new_address()),
        "reset": reset_token(server, user),
    }


def _knock(server: Running, door: str, credential: str) -> int:
    match door:
        case "cookie":
            return call(server, "GET", "/admin/auth", headers={"Cookie": f"connect.sid={credential}"}).status
        case "bearer":
            return call(server, "GET", "/admin/auth", headers={"Authorization": f"Bearer {credential}"}).status
        case "api":
            return call(server, "GET", "/admin/auth", headers={"x-medusa-access-token": credential}).status
        case "accept":
            return accept(server, credential).status
        case _:
            return reset(server, credential).status


DOORS = {"cookie": "session", "bearer": "access token", "api": "api token", "accept": "invite", "reset": "reset"}


@pytest.mark.asvs("9.2.2")
@pytest.mark.parametrize("door", DOORS)
def test_each_credential_opens_its_own_door_alone(shared_server: Running, door: str):
    credentials = _credentials(shared_server)
    statuses = {kind: _knock(shared_server, door, value) for kind, value in credentials.items()}
    refused = 400 if door == "accept" else 401
    assert statuses == {kind: 200 if kind == DOORS[door] else refused for kind in credentials}


def test_a_withdrawn_renewed_or_old_invite_is_over(server: Running):
    addresses = [new_address() for _ in range(3)]
    withdrawn, renewed, old = (invite(server, address) for address in addresses)
    first, second, _ = sorted(invites(server), key=lambda each: addresses.index(each.user_email))
    assert call(server, "DELETE", f"/admin/invites/{first.id}", headers=bearer(server)).status == 200
    assert call(server, "POST", f"/admin/invites/{second.id}/resend", headers=bearer(server)).status == 200
    assert {accept(server, token).status for token in (withdrawn, renewed)} == {400}
    server.clock.advance(days=7)
    assert accept(server, old).status == 400


def test_an_invite_whose_address_has_an_account_meanwhile_changes_nothing(server: Running):
    address = new_address()
    token = invite(server, address, Role.ADMIN)
    user = add_user(server, address=address)
    assert accept(server, token).status == 400
    assert find_user(server, address) == user


def test_the_token_in_a_mail_is_not_in_the_list_of_invites_nor_enough_to_change_its_role(server: Running):
    token = invite(server, new_address())
    assert all(
        each["token"] is None
        for each in call(server, "GET", "/admin/invites", headers=bearer(server)).json()["invites"]
    )
    header, _, signature = token.split(".")
    assert accept(server, f"{header}.{_part(claims_of(token) | {'role': 'admin'})}.{signature}").status == 400
