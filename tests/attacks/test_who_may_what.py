"""Every route by every role, and what a body or a query may reach: one table, and no way around it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

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
    living,
    mails,
    new_address,
    reset,
    reset_token,
    sign_in,
)
from tests.databases import each_database
from tests.server.helpers import Running, rows

from medusa_auth.model import Role, User

pytestmark = each_database

# What is asked; `{self}`, `{other}`, `{invite}` and `{new}` are filled in.
ROUTES: dict[str, tuple[str, str, Mapping[str, Any] | None]] = {
    "who am I": ("GET", "/admin/auth", None),
    "list users": ("GET", "/admin/users", None),
    "list deleted users": ("GET", "/admin/users?deleted_at[gt]=2000-01-01", None),
    "see oneself": ("GET", "/admin/users/{self}", None),
    "see another": ("GET", "/admin/users/{other}", None),
    "make": ("POST", "/admin/users", {"email": "{new}", "password": NEW_PASSWORD}),
    "make an admin": ("POST", "/admin/users", {"email": "{new}", "password": NEW_PASSWORD, "role": "admin"}),
    "rename oneself": ("POST", "/admin/users/{self}", {"first_name": "{new}"}),
    "rename another": ("POST", "/admin/users/{other}", {"first_name": "{new}"}),
    "a token of one's own": ("POST", "/admin/users/{self}", {"api_token": "{new}"}),
    "a token of another": ("POST", "/admin/users/{other}", {"api_token": "{new}"}),
    "take another's token": ("POST", "/admin/users/{other}", {"api_token": None}),
    "metadata of one's own": ("POST", "/admin/users/{self}", {"metadata": {"key": "{new}"}}),
    "metadata of another": ("POST", "/admin/users/{other}", {"metadata": {"key": "{new}"}}),
    "promote another": ("POST", "/admin/users/{other}", {"role": "admin"}),
    "list invites": ("GET", "/admin/invites", None),
    "invite": ("POST", "/admin/invites", {"user": "{new}", "role": "member"}),
    "invite an admin": ("POST", "/admin/invites", {"user": "{new}", "role": "admin"}),
    "invite again": ("POST", "/admin/invites/{invite}/resend", None),
    "withdraw": ("DELETE", "/admin/invites/{invite}", None),
    "delete another": ("DELETE", "/admin/users/{other}", None),
    "promote oneself": ("POST", "/admin/users/{self}", {"role": "admin"}),
    "delete oneself": ("DELETE", "/admin/users/{self}", None),
}
READING = {"who am I", "list users", "list deleted users", "see oneself", "see another", "list invites"}
OWN = {"rename oneself", "a token of one's own", "metadata of one's own", "delete oneself"}
OPEN_TO = {
    "admin": set(ROUTES),
    "developer": READING | OWN,
    "member": READING | OWN,
    "a member's cookie": READING | OWN,
    "a member's API token": READING | OWN,
}
CLOSED_TO = ["nobody", "a deleted admin", "a deleted admin's API token", "an ended session", "an invited person"]


def _caller(server: Running, who: str) -> tuple[User, dict[str, str]]:
    role = Role.ADMIN if "admin" in who else Role.DEVELOPER if who == "developer" else Role.MEMBER
    user = add_user(server, role)
    if who == "an invited person":
        return user, {"Authorization": f"Bearer {invite(server, new_address(), Role.ADMIN)}"}
    if who == "an ended session":
        headers = cookie(server, user)
        call(server, "DELETE", "/admin/auth", headers=headers)
        return user, headers
    kind = api_key if "API" in who else cookie if "cookie" in who else bearer
    headers = {} if who == "nobody" else kind(server, user)
    if "deleted" in who:
        delete_user(server, user)
    return user, headers


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    text = json.dumps(value)
    for name, filling in names.items():
        text = text.replace(f"{{{name}}}", filling)
    return json.loads(text)


def _asked(server: Running, route: str, user: User, headers: dict[str, str]) -> int:
    other = add_user(server)
    body = {"user": new_address("guest"), "role": "member"}
    assert call(server, "POST", "/admin/invites", body, bearer(server)).status == 200
    names = {"self": user.id, "other": other.id, "invite": invites(server)[-1].id, "new": new_address("new")}
    method, path, body = _filled(ROUTES[route], names)
    return call(server, method, path, body, headers).status


def _state(server: Running) -> Any:
    """All that a person may change, when no mail waits any more: the token of its link is made when it goes out."""
    ends_at = time.monotonic() + 10
    while rows(server, "SELECT count(*) FROM auth_outbox WHERE next_try_at IS NOT NULL") != [(0,)]:
        assert time.monotonic() < ends_at
        time.sleep(0.01)
    people = rows(server, 'SELECT id, email, role, first_name, metadata, deleted_at, password_hash FROM "user"')
    tokens = rows(server, "SELECT id, user_id, token_hash FROM auth_api_token")
    return people, tokens, rows(server, "SELECT id, user_email, role, token FROM invite")


@pytest.mark.asvs("8.2.1")
@pytest.mark.asvs("8.3.1")
@pytest.mark.parametrize("who", [*OPEN_TO, *CLOSED_TO])
def test_every_route_is_open_to_those_of_the_table_and_to_nobody_else(shared_server: Running, who: str):
    refused = 403 if who in OPEN_TO else 401
    statuses = {route: _asked(shared_server, route, *_caller(shared_server, who)) for route in ROUTES}
    assert statuses == {route: 200 if route in OPEN_TO.get(who, ()) else refused for route in ROUTES}


@pytest.mark.asvs("8.2.2")
def test_what_is_refused_changes_nothing(shared_server: Running):
    member, other = add_user(shared_server), add_user(shared_server)
    api_key(shared_server, other)
    # Without a mail: whose token is made when it goes out, at some moment of this test.
    invite(shared_server, new_address("guest"))
    names = {"self": member.id, "other": other.id, "invite": invites(shared_server)[-1].id, "new": new_address("new")}
    refused = [route for route in ROUTES if route not in OPEN_TO["member"]]
    before = _state(shared_server)
    for headers, status in ((bearer(shared_server, member), 403), ({}, 401)):
        for route in refused:
            method, path, body = _filled(ROUTES[route], names)
            assert call(shared_server, method, path, body, headers).status == status
    assert _state(shared_server) == before


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize("path", ["/ADMIN/USERS", "/admin//users", "/admin/users//", "/Admin/Users/", "/admin/users/."])
def test_no_way_to_write_a_path_is_open_to_those_who_may_not(shared_server: Running, path: str):
    member = bearer(shared_server, add_user(shared_server))
    body = {"email": new_address(), "password": NEW_PASSWORD, "role": "admin"}
    assert call(shared_server, "POST", path, body).status == 401
    assert call(shared_server, "POST", path, body, member).status in {400, 403, 404}
    for method in ("PUT", "PATCH", "PURGE"):
        overridden = member | {"X-HTTP-Method-Override": "POST"}
        assert call(shared_server, method, path, body, overridden).status == 404
    assert find_user(shared_server, body["email"]) is None


@pytest.mark.parametrize(
    "value",
    [["admin"], {"0": "admin"}, "ADMIN", "admin ", "\uff41dmin", "owner", True, 0, 1, "admin\0", ["member", "admin"]],
)
def test_a_role_that_is_not_one_is_refused(shared_server: Running, value: Any):
    headers, user = bearer(shared_server), add_user(shared_server)
    assert call(shared_server, "POST", f"/admin/users/{user.id}", {"role": value}, headers).status == 400
    body = {"email": new_address(), "password": NEW_PASSWORD, "role": value}
    assert call(shared_server, "POST", "/admin/users", body, headers).status == 400
    body = {"user": new_address(), "role": value}
    assert call(shared_server, "POST", "/admin/invites", body, headers).status == 400


def test_roles_that_are_off_stop_nobody(start: Any):
    server = start(MEDUSA_AUTH_ROLES="off")
    statuses = {route: _asked(server, route, *_caller(server, "member")) for route in ROUTES}
    assert set(statuses.values()) == {200}
    assert _asked(server, "list users", *_caller(server, "nobody")) == 401
    assert call(server, "DELETE", f"/admin/users/{server.user.id}", headers=cookie(server)).status == 200


FOREIGN: dict[str, Any] = {
    "id": "usr_1",
    "deleted_at": None,
    "password_hash": "x",
    "created_at": "2000-01-01",
    "updated_at": "2000-01-01",
    "token_hash": "x",
    "user_id": "usr_1",
    "sessions": [],
    "accepted": True,
    "email_verified": True,
}
PROTOTYPE_KEYS = ["__proto__", "constructor", "toString", "valueOf", "hasOwnProperty"]


@pytest.mark.asvs("15.3.3")
@pytest.mark.parametrize("field", [*FOREIGN, "email", "password"])
def test_a_field_that_is_not_the_requests_is_refused_and_changes_nothing(shared_server: Running, field: str):
    headers, user = bearer(shared_server), add_user(shared_server)
    value = {"email": "evil@example.net", "password": NEW_PASSWORD}.get(field) or FOREIGN[field]
    before = rows(shared_server, 'SELECT * FROM "user" ORDER BY id')
    answer = call(shared_server, "POST", f"/admin/users/{user.id}", {field: value, "first_name": "X"}, headers)
    assert answer.status == 400
    assert f"property {field} should not exist" in answer.text
    if field in FOREIGN:
        body = {"email": new_address(), "password": NEW_PASSWORD, field: value}
        assert call(shared_server, "POST", "/admin/users", body, headers).status == 400
    assert rows(shared_server, 'SELECT * FROM "user" ORDER BY id') == before


@pytest.mark.asvs("15.3.3")
@pytest.mark.parametrize("field", [*FOREIGN, "email", "role", "metadata", "api_token"])
def test_who_accepts_an_invite_chooses_neither_role_nor_address(shared_server: Running, field: str):
    address = new_address()
    token = invite(shared_server, address)
    value = FOREIGN.get(field, {"email": "evil@example.net", "role": "admin", "metadata": {}}.get(field, "a" * 20))
    assert accept(shared_server, token, **{field: value}).status == 400
    body = {"token": token, "user": {"password": NEW_PASSWORD}, field: value}
    assert call(shared_server, "POST", "/admin/invites/accept", body).status == 400
    assert find_user(shared_server, address) is None
    assert accept(shared_server, token).status == 200
    made = find_user(shared_server, address)
    assert made is not None
    assert made.role is Role.MEMBER


@pytest.mark.asvs("15.3.6")
@pytest.mark.parametrize("key", PROTOTYPE_KEYS)
def test_a_prototype_key_brings_nothing_in(shared_server: Running, key: str):
    """Medusa's validator lets these pass; what is in them is never read."""
    inner, address = {"role": "admin", "email": "evil@example.net"}, new_address()
    token = invite(shared_server, address)
    assert accept(shared_server, token, **{key: inner}).status == 200
    made = find_user(shared_server, address)
    assert made is not None
    assert made.role is Role.MEMBER
    assert made.email == address
    answer = call(shared_server, "POST", f"/admin/users/{made.id}", {key: inner}, bearer(shared_server, made))
    assert (answer.status, answer.json()["user"]["role"]) == (200, "member")
    metadata = {"metadata": {key: {"role": "admin"}}}
    answer = call(shared_server, "POST", f"/admin/users/{made.id}", metadata, bearer(shared_server, made))
    assert (answer.status, answer.json()["user"]["role"]) == (200, "member")


SECRETS = [
    "password_hash",
    "api_token_hash",
    "token_hash",
    "user.password_hash",
    "password_hash,id",
    "*",
    "id;password_hash",
]
QUERIES = [{name: value} for name in ("fields", "order", "expand") for value in SECRETS]
QUERIES += [
    {"fields[]": "password_hash"},
    {"order[password_hash]": "ASC"},
    {"order": "-password_hash"},
    {"expand": "*"},
]
QUERIES += [{"order": "api_token"}, {"order": "metadata"}, {"password_hash": "x"}, {"password_hash[gt]": "a"}]
QUERIES += [{"select": "password_hash"}, {"relations": "*"}, {"where": "1=1"}, {"__proto__[fields]": "password_hash"}]


@pytest.mark.asvs("8.2.3")
@pytest.mark.parametrize("query", QUERIES, ids=urlencode)
def test_a_query_neither_shows_nor_sorts_by_a_secret_column(shared_server: Running, query: dict[str, str]):
    answer = call(shared_server, "GET", f"/admin/users?{urlencode(query)}", headers=bearer(shared_server))
    assert answer.status == 400


@pytest.mark.asvs("15.3.1")
def test_no_answer_holds_a_password_hash_nor_a_token(server: Running):
    address = new_address()
    token, headers = invite(server, address), bearer(server)
    answers = [accept(server, token), sign_in(server)]
    user = find_user(server, address)
    assert user is not None
    chosen = {"api_token": "a token of my own"}
    answers += [
        reset(server, reset_token(server, user)),
        call(server, "POST", f"/admin/users/{user.id}", chosen, headers),
        call(server, "POST", "/admin/users", {"email": new_address(), "password": NEW_PASSWORD}, headers),
    ]
    invite(server, new_address())
    paths = [
        "/admin/auth",
        "/admin/invites",
        f"/admin/users/{user.id}",
        "/admin/users",
        "/admin/users?deleted_at[gt]=2000",
    ]
    fields = ["id", "api_token", "metadata,role,email", ",".join(["api_token"] * 9)]
    paths += [f"/admin/users?fields={quote(each)}" for each in fields]
    paths += [f"/admin/users?q={quote(each)}" for each in ("argon2", "$", "%", "_", "e")]
    answers += [call(server, "GET", path, headers=headers) for path in paths]
    kept = rows(
        server,
        'SELECT password_hash FROM "user" UNION SELECT token_hash FROM auth_api_token UNION SELECT token FROM invite',
    )
    told = "".join(answer.text for answer in answers)
    for (secret,) in [*kept, ("argon2",), ("password_hash",), (chosen["api_token"],), (token,)]:
        assert secret not in told


INJECTIONS = [
    "'",
    "''; DROP TABLE user; --",
    '"',
    "1' OR '1'='1",
    "%",
    "_",
    "\\",
    "x') OR 1=1 --",
    "') UNION SELECT 1 --",
    "a'||'b",
]


@pytest.mark.asvs("1.2.4")
@pytest.mark.parametrize("injection", INJECTIONS)
def test_sql_in_a_parameter_is_a_text_like_any_other(shared_server: Running, injection: str):
    headers = bearer(shared_server)
    names = [
        "q",
        "id",
        "id[]",
        "email",
        "first_name",
        "last_name",
        "role",
        "order",
        "fields",
        "limit",
        "offset",
        "expand",
    ]
    names += [f"{name}[{inner}]" for name in ("created_at", "updated_at", "deleted_at") for inner in ("gt", injection)]
    count = len(living(shared_server))
    for name in [*names, injection]:
        answer = call(shared_server, "GET", f"/admin/users?{urlencode({name: injection})}", headers=headers)
        assert answer.status in {200, 400}
        # A text that is in no name finds nobody: a wildcard of SQL's would find all.
        if answer.status == 200:
            assert answer.json()["count"] == 0 if injection not in {"\\", "_"} else True
    for path in ("users", "invites"):
        assert call(shared_server, "GET", f"/admin/{path}/{quote(injection, safe='')}", headers=headers).status == 404
        deleted = call(shared_server, "DELETE", f"/admin/{path}/{quote(injection, safe='')}", headers=headers)
        assert deleted.status == 200
    call(shared_server, "POST", f"/admin/invites/{quote(injection, safe='')}/resend", headers=headers)
    assert len(living(shared_server)) == count


@pytest.mark.asvs("1.2.4")
@pytest.mark.parametrize("injection", INJECTIONS)
def test_sql_in_a_body_is_kept_as_it_is(shared_server: Running, injection: str):
    headers, user = bearer(shared_server), add_user(shared_server)
    body = {"first_name": injection, "last_name": injection, "metadata": {injection + "k": injection}}
    answer = call(shared_server, "POST", f"/admin/users/{user.id}", body, headers).json()["user"]
    assert {name: answer[name] for name in body} == body
    found = call(shared_server, "GET", f"/admin/users?{urlencode({'first_name': injection})}", headers=headers)
    assert user.id in {each["id"] for each in found.json()["users"]}
    token = {"api_token": injection + " long enough"}
    assert call(shared_server, "POST", f"/admin/users/{user.id}", token, headers).status == 200
    key = {"x-medusa-access-token": token["api_token"]}
    assert call(shared_server, "GET", "/admin/auth", headers=key).json()["user"]["id"] == user.id


@pytest.mark.asvs("6.3.8")
def test_an_invite_to_somebody_who_has_an_account_tells_an_admin_alone(shared_server: Running):
    known, member = add_user(shared_server), bearer(shared_server, add_user(shared_server))
    bodies = [{"user": address, "role": "member"} for address in (known.email, new_address())]
    for headers in (member, {}):
        answers = [call(shared_server, "POST", "/admin/invites", body, headers) for body in bodies]
        assert len({(answer.status, answer.content) for answer in answers}) == 1
    refused = call(shared_server, "POST", "/admin/invites", bodies[0], bearer(shared_server))
    assert (refused.status, refused.json()["message"]) == (400, "Can't invite a user with an existing account")
    deliver(shared_server)
    assert not mails(shared_server, known.email, "invite")
