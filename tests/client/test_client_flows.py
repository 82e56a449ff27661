"""The calls of Medusa's admin auth API, without a network."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar
from uuid import UUID

import httpx2
import pytest

from medusa_auth import (
    AdminPostAuthReq,
    AuthenticationError,
    Cookies,
    InvalidRequestError,
    UnavailableError,
    UnexpectedAnswerError,
)
from medusa_auth.client.calls import Call, Flow, Wait
from medusa_auth.client.config import Config, read_base_url
from medusa_auth.client.flows import Flows
from medusa_auth.client.replies import Reply

from .samples import EMAIL, LOGIN, PASSWORD, USER, token_body

T = TypeVar("T")

URL = "http://localhost:9000"
CREDENTIALS = AdminPostAuthReq(EMAIL, PASSWORD)
JSON = {"content-type": "application/json"}
OK = Reply(200, {"content-type": "text/plain"}, b"OK")
SESSION = Reply(200, JSON, USER.encode())
TOKEN = Reply(200, JSON, token_body("a.b.c").encode())
DONE = Reply(200, JSON, b"{}")


def flows(**options: Any) -> Flows:
    return Flows(Config(read_base_url(URL), **options), Cookies(), Random(1))


def first(flow: Flow[Any]) -> Call:
    call = next(flow)
    assert isinstance(call, Call)
    return call


def run(flow: Flow[T], *replies: Reply) -> T:
    """What `flow` returns when its calls are answered by `replies`."""
    answers = iter(replies)
    step = next(flow)
    try:
        while True:
            step = flow.send(None if isinstance(step, Wait) else next(answers))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def credentials_of(call: Call) -> dict[str, str]:
    names = ("authorization", "x-medusa-access-token", "x-publishable-api-key")
    return {name: call.headers[name] for name in names if name in call.headers}


def test_create_session_posts_the_login() -> None:
    call = first(flows().create_session(CREDENTIALS))
    assert (call.method, call.path) == ("POST", "/admin/auth")
    assert call.content == b'{"email":"admin@medusa-test.com","password":"supersecret"}'
    assert (call.headers["accept"], call.headers["content-type"]) == ("application/json", "application/json")


def test_get_token_posts_the_login_to_its_own_path() -> None:
    call = first(flows().get_token(CREDENTIALS))
    assert (call.method, call.path, call.content) == (
        "POST",
        "/admin/auth/token",
        first(flows().create_session(CREDENTIALS)).content,
    )


@pytest.mark.parametrize(("method", "flow"), [("GET", flows().get_session()), ("DELETE", flows().delete_session())])
def test_what_has_no_body_names_no_type_of_one(method: str, flow: Flow[Any]) -> None:
    call = first(flow)
    assert (call.method, call.path, call.content, "content-type" in call.headers) == (method, "/admin/auth", b"", False)
    assert call.headers["accept"] == "application/json"


def test_the_client_says_what_it_is() -> None:
    assert first(flows().get_session()).headers["user-agent"].startswith("medusa-auth/0.")


ALL = {"authorization": "Bearer a.b.c", "x-medusa-access-token": "api", "x-publishable-api-key": "pub"}
KEYS = {"x-medusa-access-token": "api", "x-publishable-api-key": "pub"}
PUBLIC = {"x-publishable-api-key": "pub"}


@pytest.mark.parametrize(
    ("method", "path", "credentials"),
    [
        ("GET", "/admin/auth", ALL),
        ("DELETE", "/admin/auth", ALL),
        ("POST", "/admin/auth", PUBLIC),
        ("POST", "/admin/auth/", PUBLIC),
        ("POST", "/Admin/Auth?x=1", PUBLIC),
        ("POST", "/admin/auth/token", KEYS),
        ("POST", "/admin/users/password-token", PUBLIC),
        ("POST", "/admin/users/reset-password", PUBLIC),
        ("POST", "/admin/invites/accept", PUBLIC),
        ("GET", "/admin/users/reset-password", ALL),
        ("POST", "/admin/users", ALL),
        ("GET", "/admin", ALL),
        ("GET", "/administration", PUBLIC),
        ("GET", "/store/products", PUBLIC),
        ("GET", "/store/admin", PUBLIC),
        ("GET", "/health", PUBLIC),
    ],
)
def test_each_credential_goes_where_it_is_asked_for(method: str, path: str, credentials: dict[str, str]) -> None:
    client = flows(api_key="api", publishable_api_key="pub")
    run(client.get_token(CREDENTIALS), TOKEN)
    assert credentials_of(first(client.request(method, path))) == credentials


def test_without_keys_and_token_no_credential_is_sent() -> None:
    assert credentials_of(first(flows().get_session())) == {}


def test_headers_of_a_call_win_over_those_of_the_client_and_those_over_the_default() -> None:
    client = flows(custom_headers={"ACCEPT": "text/plain", "X-A": "1", "X-B": "1"})
    headers = first(client.get_session({"x-b": "2", "Authorization": "Bearer mine"})).headers
    assert [headers[name] for name in ("accept", "x-a", "x-b", "authorization")] == [
        "text/plain",
        "1",
        "2",
        "Bearer mine",
    ]


def test_a_header_that_cannot_be_sent_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidRequestError, match="X-A") as caught:
        next(flows().get_session({"X-A": "a-secret\n"}))
    assert "a-secret" not in str(caught.value)


def test_a_session_is_typed_and_says_how_it_came() -> None:
    session = run(flows().create_session(CREDENTIALS), SESSION)
    assert (session.user.email, session.response.status) == (EMAIL, 200)


def test_the_token_belongs_to_its_client() -> None:
    one, other = flows(), flows()
    assert run(one.get_token(CREDENTIALS), TOKEN).access_token == "a.b.c"
    assert credentials_of(first(one.get_session())) == {"authorization": "Bearer a.b.c"}
    assert credentials_of(first(other.get_session())) == {}


def test_a_newer_token_replaces_the_older() -> None:
    client = flows()
    run(client.get_token(CREDENTIALS), TOKEN)
    run(client.get_token(CREDENTIALS), Reply(200, JSON, token_body("d.e.f").encode()))
    assert credentials_of(first(client.get_session())) == {"authorization": "Bearer d.e.f"}


def test_a_failed_login_keeps_the_token() -> None:
    client = flows()
    run(client.get_token(CREDENTIALS), TOKEN)
    with pytest.raises(AuthenticationError):
        run(client.get_token(CREDENTIALS), Reply(401, {}, b"Unauthorized"))
    assert credentials_of(first(client.get_session())) == {"authorization": "Bearer a.b.c"}


def logged_in() -> Flows:
    client = flows()
    run(client.get_token(CREDENTIALS), TOKEN)
    client.cookies.store(httpx2.URL(URL), ["connect.sid=s%3A1; Path=/", "balancer=b; Path=/"])
    return client


def held(client: Flows) -> tuple[dict[str, str], str | None]:
    return credentials_of(first(client.get_session())), client.cookies.header(httpx2.URL(URL))


def test_a_logout_forgets_the_token_and_the_sessions_cookie_and_no_other() -> None:
    client = logged_in()
    assert run(client.delete_session(), OK).response.status == 200
    assert held(client) == ({}, "balancer=b")


def test_a_logout_of_nobody_forgets_them_too() -> None:
    client = logged_in()
    with pytest.raises(AuthenticationError):
        run(client.delete_session(), Reply(401, {}, b"Unauthorized"))
    assert held(client) == ({}, "balancer=b")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(503), UnavailableError),
        (Reply(200, {"content-type": "text/html"}, b"<html>"), UnexpectedAnswerError),
        (Reply(302, {"location": "/login"}), UnexpectedAnswerError),
    ],
    ids=["503", "page", "redirect"],
)
def test_a_logout_that_did_not_happen_forgets_nothing(reply: Reply, error: type[Exception]) -> None:
    client = logged_in()
    before = held(client)
    with pytest.raises(error):
        run(client.delete_session(), reply)
    assert held(client) == before


def keys_of(flow: Flow[Any], count: int) -> list[str | None]:
    """The idempotency keys of `count` requests, all but the last answered 503."""
    found: list[str | None] = []
    step = next(flow)
    while True:
        if isinstance(step, Call):
            found.append(step.headers.get("idempotency-key"))
            if len(found) == count:
                return found
        step = flow.send(None if isinstance(step, Wait) else Reply(503))


def test_one_idempotency_key_is_kept_over_the_retries_of_a_post() -> None:
    keys = keys_of(flows(max_retries=2).create_session(CREDENTIALS), 3)
    assert len(set(keys)) == 1
    assert UUID(str(keys[0])).version == 4


def test_each_post_has_a_new_idempotency_key() -> None:
    client = flows(max_retries=1)
    assert keys_of(client.create_session(CREDENTIALS), 1) != keys_of(client.create_session(CREDENTIALS), 1)


def test_two_clients_have_different_idempotency_keys() -> None:
    config = Config(read_base_url(URL), 1)
    one, other = (keys_of(Flows(config, Cookies()).create_session(CREDENTIALS), 1) for _ in range(2))
    assert one != other


@pytest.mark.parametrize(("method", "max_retries"), [("POST", 0), ("GET", 3), ("DELETE", 3), ("PUT", 3)])
def test_what_is_not_retried_or_no_post_has_no_idempotency_key(method: str, max_retries: int) -> None:
    assert keys_of(flows(max_retries=max_retries).request(method, "/admin/users"), 1) == [None]


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        ("/admin/users", {"q": "m j", "fields": "id,email"}, "/admin/users?q=m+j&fields=id%2Cemail"),
        (
            "/admin/users",
            {"id[]": ["a", "b"], "expand": True, "limit": 1},
            "/admin/users?id%5B%5D=a&id%5B%5D=b&expand=true&limit=1",
        ),
        ("/admin/users?a=1", {"b": 2}, "/admin/users?a=1&b=2"),
        ("/admin/users", {"q": None}, "/admin/users"),
        ("/admin/users", None, "/admin/users"),
    ],
)
def test_params_go_into_the_query(path: str, params: dict[str, Any] | None, target: str) -> None:
    assert first(flows().request("GET", path, params=params)).path == target


def test_any_call_sends_json_and_returns_it() -> None:
    flow = flows().request("post", "/admin/users", json={"email": EMAIL})
    call = first(flow)
    assert (call.method, call.content, call.headers["content-type"]) == (
        "POST",
        b'{"email":"admin@medusa-test.com"}',
        "application/json",
    )
    assert run(flows().request("GET", "/admin/auth"), SESSION).data["user"]["email"] == EMAIL


@pytest.mark.parametrize("method", ["", "GET /", "GET\r\n", "G\u00c9T"])
def test_what_is_no_method_is_refused(method: str) -> None:
    with pytest.raises(InvalidRequestError, match="not an HTTP method"):
        next(flows().request(method, "/admin/users"))


def test_another_address_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidRequestError):
        next(flows(api_key="api").request("GET", "https://other.example.com/admin/users"))


def test_no_repr_of_a_call_shows_a_secret() -> None:
    call = first(flows(api_key="a-secret").create_session(AdminPostAuthReq(EMAIL, LOGIN["password"])))
    assert "secret" not in repr(call)
