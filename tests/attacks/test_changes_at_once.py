"""What one worker changes is so in the other at the very next request, with every credential, remembered or not."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from tests.attacks.siege import (
    NEW_PASSWORD,
    SECONDS,
    add_user,
    api_key,
    bearer,
    call,
    cookie,
    new_address,
    reset_token,
)
from tests.server.helpers import PASSWORD, Running

from medusa_auth.model import Role, User

KINDS: dict[str, Callable[[Running, User], dict[str, str]]] = {"cookie": cookie, "bearer": bearer, "API token": api_key}
Ask = Callable[..., tuple[int, Any]]


def _asking(connection: http.client.HTTPConnection) -> Ask:
    def ask(method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content.startswith(b"{") else content

    return ask


@pytest.fixture
def both(workers: Running) -> Iterator[list[Ask]]:
    """A connection to each of the two processes: the id of a request begins with its process's."""
    with ExitStack() as stack:
        found: dict[str, Ask] = {}
        ends_at = time.monotonic() + SECONDS
        # One of them may have begun to listen a little later.
        while len(found) < 2 and time.monotonic() < ends_at:
            connection = http.client.HTTPConnection(workers.url.removeprefix("http://"), timeout=30)
            stack.enter_context(closing(connection))
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            found.setdefault((answer.getheader("x-request-id") or "").partition("-")[0], _asking(connection))
        assert len(found) == 2
        yield list(found.values())


def seen(
    both: list[Ask],
    credentials: dict[str, dict[str, str]],
    method: str = "GET",
    path: str = "/admin/auth",
    body: Any = None,
) -> dict[str, set[int]]:
    return {kind: {ask(method, path, headers, body)[0] for ask in both} for kind, headers in credentials.items()}


def remembered(workers: Running, both: list[Ask], user: User) -> dict[str, dict[str, str]]:
    """One credential of each kind, which both processes have seen."""
    credentials = {kind: make(workers, user) for kind, make in KINDS.items()}
    assert seen(both, credentials) == {kind: {200} for kind in KINDS}
    return credentials


@pytest.mark.asvs("7.4.2")
def test_a_deletion_is_in_force_at_the_next_request_of_either_process(workers: Running, both: list[Ask]):
    admin = bearer(workers)
    for one in both * 2:
        user = add_user(workers)
        credentials = remembered(workers, both, user)
        assert one("DELETE", f"/admin/users/{user.id}", admin)[0] == 200
        assert seen(both, credentials) == {kind: {401} for kind in KINDS}
        login = {"email": user.email, "password": PASSWORD}
        assert {ask("POST", "/admin/auth", {}, login)[0] for ask in both} == {401}


@pytest.mark.asvs("8.3.2")
def test_a_role_is_in_force_at_the_next_request_of_either_process(workers: Running, both: list[Ask]):
    admin, user = bearer(workers), add_user(workers, Role.ADMIN)
    credentials = remembered(workers, both, user)
    for role, status in (("member", 403), ("admin", 200), ("developer", 403), ("admin", 200)):
        for one in both:
            assert one("POST", f"/admin/users/{user.id}", admin, {"role": role})[0] == 200
            body = {"user": new_address("guest"), "role": "member"}
            assert seen(both, credentials, "POST", "/admin/invites", body) == {kind: {status} for kind in KINDS}
            told = {
                ask("GET", "/admin/auth", headers)[1]["user"]["role"]
                for ask in both
                for headers in credentials.values()
            }
            assert told == {role}


@pytest.mark.asvs("7.4.3")
def test_a_new_password_ends_sessions_and_access_tokens_in_both_processes_and_leaves_api_tokens(
    workers: Running, both: list[Ask]
):
    for one in both:
        user = add_user(workers)
        token = reset_token(workers, user)
        credentials = remembered(workers, both, user)
        body = {"token": token, "password": NEW_PASSWORD}
        assert one("POST", "/admin/users/reset-password", {}, body)[0] == 200
        assert seen(both, credentials) == {"cookie": {401}, "bearer": {401}, "API token": {200}}
        for password, status in ((PASSWORD, 401), (NEW_PASSWORD, 200)):
            login = {"email": user.email, "password": password}
            assert {ask("POST", "/admin/auth/token", {}, login)[0] for ask in both} == {status}


def test_a_chosen_api_token_is_good_and_is_over_at_the_next_request_of_either_process(
    workers: Running, both: list[Ask]
):
    for one in both:
        user = add_user(workers)
        own = bearer(workers, user)
        keys = [{"x-medusa-access-token": f"{new_address()} chosen"} for _ in range(2)]
        path = f"/admin/users/{user.id}"
        for key, other in (keys, keys[::-1]):
            assert one("POST", path, own, {"api_token": key["x-medusa-access-token"]})[0] == 200
            assert {ask("GET", "/admin/auth", key)[0] for ask in both} == {200}
            assert {ask("GET", "/admin/auth", other)[0] for ask in both} == {401}
        for gone in (None, ""):
            assert one("POST", path, own, {"api_token": keys[1]["x-medusa-access-token"]})[0] == 200
            assert {ask("GET", "/admin/auth", keys[1])[0] for ask in both} == {200}
            assert one("POST", path, own, {"api_token": gone})[0] == 200
            assert {ask("GET", "/admin/auth", keys[1])[0] for ask in both} == {401}


def test_a_token_that_is_somebody_elses_is_not_taken_over(workers: Running, both: list[Ask]):
    one, other = add_user(workers), add_user(workers)
    body = {"api_token": f"{new_address()} chosen"}
    key = {"x-medusa-access-token": body["api_token"]}
    assert both[0]("POST", f"/admin/users/{one.id}", bearer(workers, one), body)[0] == 200
    assert both[1]("POST", f"/admin/users/{other.id}", bearer(workers, other), body)[0] == 400
    assert {ask("GET", "/admin/auth", key)[1]["user"]["id"] for ask in both} == {one.id}


def test_a_name_is_the_new_one_at_the_next_request_of_either_process(workers: Running, both: list[Ask]):
    user = add_user(workers)
    credentials = remembered(workers, both, user)
    for number in range(6):
        assert (
            call(workers, "POST", f"/admin/users/{user.id}", {"first_name": str(number)}, credentials["bearer"]).status
            == 200
        )
        told = {
            ask("GET", "/admin/auth", each)[1]["user"]["first_name"] for ask in both for each in credentials.values()
        }
        assert told == {str(number)}
