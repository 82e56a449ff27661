"""Forged requests: what a page of somebody else's, or a form, can make an administrator's browser send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.attacks.siege import (
    NEW_PASSWORD,
    Answer,
    accept,
    add_user,
    api_key,
    bearer,
    call,
    cookie,
    deliver,
    invite,
    invites,
    new_address,
    reset,
)
from tests.databases import each_database
from tests.server.helpers import Running, rows

pytestmark = each_database

WRITES: dict[str, tuple[str, str, Any]] = {
    "make": ("POST", "/admin/users", {"email": "{new}", "password": NEW_PASSWORD, "role": "admin"}),
    "change": ("POST", "/admin/users/{user}", {"role": "admin"}),
    "token": ("POST", "/admin/users/{user}", {"api_token": "{new}"}),
    "delete": ("DELETE", "/admin/users/{user}", None),
    "invite": ("POST", "/admin/invites", {"user": "{new}", "role": "admin"}),
    "resend": ("POST", "/admin/invites/{invite}/resend", None),
    "withdraw": ("DELETE", "/admin/invites/{invite}", None),
}
FOREIGN_PAGES: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example.net"},
    "no origin": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a longer name": {"Origin": "http://127.0.0.1.evil.example.net"},
    "a name with a user": {"Origin": "http://127.0.0.1@evil.example.net"},
    "another scheme": {"Origin": "chrome-extension://127.0.0.1"},
    "another site without an origin": {"Sec-Fetch-Site": "cross-site"},
    "a site beside ours": {"Sec-Fetch-Site": "same-site"},
    "one that says who is asked for": {"Origin": "https://evil.example.net", "X-Forwarded-Host": "evil.example.net"},
}
FORMS = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "TEXT/PLAIN;charset=utf-8",
    "text/plain; application/json",
    " text/plain ",
]


def write(server: Running, name: str, headers: Mapping[str, str], names: Mapping[str, str]) -> Answer:
    method, path, body = json.loads(_filled(json.dumps(WRITES[name]), names))
    sent = None if body is None else json.dumps(body).encode()
    return call(server, method, path, sent, {"Content-Type": "application/json"} | dict(headers))


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, filling in names.items():
        text = text.replace(f"{{{name}}}", filling)
    return text


def targets(server: Running) -> dict[str, str]:
    invite(server, new_address("guest"))
    return {"user": add_user(server).id, "invite": invites(server)[-1].id, "new": new_address("new")}


def state(server: Running) -> Any:
    """All that there is, once no mail is under way, for an invite gets its token when it is sent."""
    deliver(server)
    return [rows(server, f"SELECT * FROM {table}") for table in ("user", "invite", "auth_api_token", "auth_outbox")]


@pytest.fixture(scope="module")
def session(shared_server: Running) -> dict[str, str]:
    return cookie(shared_server)


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize("page", FOREIGN_PAGES)
def test_a_foreign_page_changes_nothing_with_the_cookie(shared_server: Running, session: dict[str, str], page: str):
    names = targets(shared_server)
    before = state(shared_server)
    assert {write(shared_server, name, session | FOREIGN_PAGES[page], names).status for name in WRITES} == {403}
    assert state(shared_server) == before


@pytest.mark.asvs("3.5.2")
@pytest.mark.parametrize("content_type", FORMS)
def test_a_form_changes_nothing_with_the_cookie_whoever_sends_it(
    shared_server: Running, session: dict[str, str], content_type: str
):
    names, own = targets(shared_server), {"Origin": shared_server.url, "Content-Type": content_type}
    before = state(shared_server)
    statuses = {
        write(shared_server, name, session | headers, names).status
        for name in WRITES
        for headers in (own, {"Content-Type": content_type})
    }
    assert statuses == {415}
    assert state(shared_server) == before


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("page", ["ours", "ours by its site", "no browser"])
def test_our_own_page_writes_with_the_cookie(shared_server: Running, session: dict[str, str], name: str, page: str):
    own = {"ours": {"Origin": shared_server.url}, "ours by its site": {"Sec-Fetch-Site": "same-origin"}}.get(page, {})
    assert write(shared_server, name, session | own, targets(shared_server)).status == 200


@pytest.mark.parametrize("name", WRITES)
def test_a_token_writes_from_anywhere(shared_server: Running, name: str):
    for headers in (bearer(shared_server), api_key(shared_server)):
        for page in FOREIGN_PAGES.values():
            assert write(shared_server, name, headers | page, targets(shared_server)).status == 200


@pytest.mark.asvs("3.5.1")
def test_a_bad_token_beside_the_cookie_does_not_make_a_foreign_page_ours(
    shared_server: Running, session: dict[str, str]
):
    names, page = targets(shared_server), FOREIGN_PAGES["another site"]
    for more in ({"Authorization": "Bearer x"}, {"x-medusa-access-token": "x"}, bearer(shared_server)):
        assert write(shared_server, "delete", session | page | more, names).status == 403


@pytest.mark.asvs("3.5.3")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_safe_method_changes_anything(shared_server: Running, session: dict[str, str], method: str):
    names = targets(shared_server)
    before = state(shared_server)
    for _, path, _ in WRITES.values():
        for query in ("", "?_method=DELETE", "?role=admin"):
            overridden = session | {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "POST"}
            assert call(shared_server, method, _filled(path, names) + query, headers=overridden).status in {
                200,
                400,
                404,
            }
    assert state(shared_server) == before


@pytest.mark.asvs("3.5.2")
@pytest.mark.parametrize("content_type", FORMS)
def test_the_doors_without_a_credential_read_no_form(shared_server: Running, content_type: str):
    headers, token = {"Content-Type": content_type}, invite(shared_server, new_address())
    before = state(shared_server)
    bodies = {
        "/admin/users/password-token": {"email": "admin@example.com"},
        "/admin/users/reset-password": {"token": "x", "password": NEW_PASSWORD},
        "/admin/invites/accept": {"token": token, "user": {"password": NEW_PASSWORD}},
    }
    for path, body in bodies.items():
        assert call(shared_server, "POST", path, json.dumps(body).encode(), headers).status == 400
    assert state(shared_server) == before


@pytest.mark.parametrize("path", ["/console/accept-invite", "/console/reset-password"])
@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/json", ""])
def test_the_pages_read_nothing_but_a_form(shared_server: Running, path: str, content_type: str):
    token = invite(shared_server, new_address())
    body = json.dumps({"token": token, "password": NEW_PASSWORD}).encode()
    answer = call(shared_server, "POST", path, body, {"Content-Type": content_type})
    assert answer.status == 415
    assert accept(shared_server, token).status == 200


@pytest.mark.asvs("3.5.1")
def test_the_cookie_makes_no_token_of_a_link_any_better(shared_server: Running, session: dict[str, str]):
    """Whoever is signed in sets no password and accepts no invite by that."""
    body = {"token": "", "password": NEW_PASSWORD, "email": shared_server.user.email}
    assert call(shared_server, "POST", "/admin/users/reset-password", body, session).status == 401
    assert reset(shared_server, "x", email=shared_server.user.email).status == 401
