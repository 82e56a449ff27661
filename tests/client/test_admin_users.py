"""`medusa.admin.users`, of both clients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from medusa_auth import (
    AdminCreateUserRequest,
    AdminPostAuthReq,
    AdminResetPasswordRequest,
    AdminResetPasswordTokenRequest,
    AdminUpdateUserRequest,
    AnswerError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    UnexpectedAnswerError,
    User,
)

from .people import CREATED, SECRET, URL, Backend, Connect, call, credentials_of, json, shows_nothing
from .samples import NOT_FOUND, USER

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.com"
NEW = {"email": EMAIL, "password": SECRET, "first_name": "Ada", "role": "admin"}
RESET = {"email": EMAIL, "token": SECRET, "password": SECRET}
# As Medusa answers a user that it made, and one that it changed.
MADE = (
    '{"user":{"role":"member","email":"ada@example.com","id":"usr_1","deleted_at":null,"first_name":null,'
    '"last_name":null,"api_token":null,"metadata":null,"created_at":"2026-11-24T08:25:38.217Z",'
    '"updated_at":"2026-11-24T08:25:38.217Z"}}'
)
CHANGED = (
    f'{{"user":{{"id":"usr_1",{CREATED},"role":"member","email":"ada@example.com","first_name":"Ada","last_name":null,'
    f'"api_token":"{SECRET}","metadata":{{"a":1}},"password_hash":null}}}}'
)
LIST = '{"users":[' + USER[len('{"user":') : -1] + '],"count":7,"offset":2,"limit":1}'
DELETED = '{"id":"usr_1","object":"user","deleted":true}'
NO_CONTENT = httpx2.Response(204)


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (None, ""),
        ({}, ""),
        ({"q": None, "id": [], "created_at": {}}, ""),
        ({"q": "m j+&=/?#"}, "?q=m%20j%2B%26%3D%2F%3F%23"),
        ({"limit": 1, "offset": 2, "order": "-email"}, "?limit=1&offset=2&order=-email"),
        ({"fields": "id,email", "role": "admin"}, "?fields=id%2Cemail&role=admin"),
        ({"id": ["a", "b"]}, "?id%5B0%5D=a&id%5B1%5D=b"),
        ({"id": ("a",)}, "?id%5B0%5D=a"),
        ({"created_at": {"gt": "x", "lt": "y"}}, "?created_at%5Bgt%5D=x&created_at%5Blt%5D=y"),
        (
            {"updated_at": {"gte": datetime(2026, 11, 24, 1, 53, 13, 446000, UTC)}},
            "?updated_at%5Bgte%5D=2026-11-24T01%3A53%3A13.446Z",
        ),
        ({"a": {"b": [True, {"c": False}]}}, "?a%5Bb%5D%5B0%5D=true&a%5Bb%5D%5B1%5D%5Bc%5D=false"),
        ({"first_name": "\u00c5sa", "last_name": ""}, "?first_name=%C3%85sa&last_name="),
    ],
)
async def test_list_asks_as_medusa_js_does(connect: Connect, query: dict[str, Any] | None, target: str) -> None:
    backend = Backend(json(LIST.replace('"role"', '"x":1,"role"')))
    users = await call(connect(URL, transport=backend.transport), "users.list", query)
    assert backend.asked == ("GET", "/admin/users" + target, b"")
    assert (users.count, users.offset, users.limit, users.response.status) == (7, 2, 1, 200)
    assert [user.email for user in users.users] == ["admin@medusa-test.com"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("q=a", TypeError),
        ({1: "a"}, TypeError),
        ({"created_at": {1: "a"}}, TypeError),
        ({"q": b"a"}, TypeError),
        ({"q": {"a"}}, TypeError),
        ({"q": "\ud800"}, InvalidRequestError),
        ({"\ud800": "a"}, InvalidRequestError),
    ],
)
async def test_a_query_that_cannot_be_written_is_not_sent(connect: Connect, query: Any, error: type[Exception]) -> None:
    backend = Backend(json(LIST))
    with pytest.raises(error):
        await call(connect(URL, transport=backend.transport), "users.list", query)
    assert backend.received == []


async def test_fields_that_were_not_asked_for_are_none(connect: Connect) -> None:
    backend = Backend(json('{"users":[{"email":"ada@example.com","id":"usr_1"}],"count":1,"offset":0,"limit":50}'))
    client = connect(URL, transport=backend.transport)
    (user,) = (await call(client, "users.list", {"fields": "email"})).users
    assert isinstance(user, User)
    assert (user.id, user.email) == ("usr_1", EMAIL)
    assert {getattr(user, name) for name in user.__struct_fields__} == {"usr_1", EMAIL, None}
    with pytest.raises(UnexpectedAnswerError):
        await call(client, "users.list", {"q": "ada"})


@pytest.mark.parametrize(
    ("user_id", "target"),
    [
        ("usr_1", "usr_1"),
        ("a/b", "a%2Fb"),
        ("a?b=1#c", "a%3Fb%3D1%23c"),
        ("a b\\\u00e5", "a%20b%5C%C3%A5"),
        ("%2e%2e", "%252e%252e"),
        ("//host", "%2F%2Fhost"),
        ("http://host", "http%3A%2F%2Fhost"),
    ],
)
async def test_an_id_is_one_segment_of_the_path(connect: Connect, user_id: str, target: str) -> None:
    for method, arguments in (("retrieve", ()), ("update", ({},)), ("delete", ())):
        backend = Backend(json(DELETED if method == "delete" else MADE))
        await call(connect(URL + "/shop", transport=backend.transport), f"users.{method}", user_id, *arguments)
        assert backend.received[0].url.raw_path.decode() == f"/shop/admin/users/{target}"


@pytest.mark.parametrize(
    ("user_id", "error"),
    [
        ("", InvalidRequestError),
        (".", InvalidRequestError),
        ("..", InvalidRequestError),
        ("../auth", InvalidRequestError),
        ("a/../../auth", InvalidRequestError),
        (f"{SECRET}\ud800", InvalidRequestError),
        (None, TypeError),
        (1, TypeError),
        (b"usr_1", TypeError),
    ],
)
async def test_what_is_no_id_is_not_sent(connect: Connect, user_id: Any, error: type[Exception]) -> None:
    backend = Backend(json(MADE))
    client = connect(URL, transport=backend.transport)
    for method, arguments in (("retrieve", ()), ("update", ({},)), ("delete", ())):
        with pytest.raises(error) as caught:
            await call(client, f"users.{method}", user_id, *arguments)
        assert SECRET not in repr(caught.value)
    assert backend.received == []


async def test_retrieve(connect: Connect) -> None:
    backend = Backend(json(USER))
    answer = await call(connect(URL, transport=backend.transport), "users.retrieve", "usr_1", {"X-A": "1"})
    assert backend.asked == ("GET", "/admin/users/usr_1", b"")
    assert (answer.user.email, backend.received[0].headers["x-a"]) == ("admin@medusa-test.com", "1")


async def test_a_user_that_is_not_there(connect: Connect) -> None:
    client = connect(URL, transport=Backend(json(NOT_FOUND, 404)).transport)
    for method, arguments in (("retrieve", ()), ("update", ({},))):
        with pytest.raises(NotFoundError, match="User with id: usr_nope was not found"):
            await call(client, f"users.{method}", "usr_nope", *arguments)


@pytest.mark.parametrize("how", ["dict", "struct", "keywords"])
async def test_create(connect: Connect, how: str) -> None:
    ways: dict[str, dict[str, Any]] = {
        "dict": {"payload": NEW},
        "struct": {"payload": AdminCreateUserRequest(EMAIL, SECRET, first_name="Ada", role="admin")},
        "keywords": NEW,
    }
    backend = Backend(json(MADE))
    answer = await call(
        connect(URL, transport=backend.transport), "users.create", custom_headers={"X-A": "1"}, **ways[how]
    )
    body = f'{{"email":"ada@example.com","password":"{SECRET}","first_name":"Ada","role":"admin"}}'
    assert backend.asked == ("POST", "/admin/users", body.encode())
    assert (answer.user.id, answer.user.email, answer.response.status) == ("usr_1", EMAIL, 200)
    headers = backend.received[0].headers
    assert (headers["content-type"], headers["x-a"]) == ("application/json", "1")


@pytest.mark.parametrize(
    ("arguments", "keywords", "body"),
    [
        ((), {"first_name": None, "role": "admin"}, b'{"first_name":null,"role":"admin"}'),
        ((), {"api_token": None, "metadata": {"a": ""}}, b'{"api_token":null,"metadata":{"a":""}}'),
        ((AdminUpdateUserRequest(last_name="L"),), {}, b'{"last_name":"L"}'),
        ((AdminUpdateUserRequest(),), {}, b"{}"),
        (({},), {}, b"{}"),
        (({"last_name": None, "new": [1]},), {}, b'{"last_name":null,"new":[1]}'),
    ],
)
async def test_update_sends_what_is_given(connect: Connect, arguments: Any, keywords: Any, body: bytes) -> None:
    backend = Backend(json(CHANGED))
    answer = await call(connect(URL, transport=backend.transport), "users.update", "usr_1", *arguments, **keywords)
    assert backend.asked == ("POST", "/admin/users/usr_1", body)
    assert (answer.user.first_name, answer.user.metadata, answer.user.api_token) == ("Ada", {"a": 1}, SECRET)
    assert SECRET not in repr(answer)


async def test_delete(connect: Connect) -> None:
    backend = Backend(json(DELETED))
    answer = await call(connect(URL, transport=backend.transport), "users.delete", "usr_1")
    assert backend.asked == ("DELETE", "/admin/users/usr_1", b"")
    assert (answer.id, answer.object, answer.deleted) == ("usr_1", "user", True)


@pytest.mark.parametrize("how", ["dict", "struct", "keywords"])
async def test_send_reset_password_token(connect: Connect, how: str) -> None:
    ways: dict[str, dict[str, Any]] = {
        "dict": {"payload": {"email": EMAIL}},
        "struct": {"payload": AdminResetPasswordTokenRequest(EMAIL)},
        "keywords": {"email": EMAIL},
    }
    backend = Backend(NO_CONTENT)
    answer = await call(connect(URL, transport=backend.transport), "users.send_reset_password_token", **ways[how])
    assert backend.asked == ("POST", "/admin/users/password-token", b'{"email":"ada@example.com"}')
    assert answer.response.status == 204


@pytest.mark.parametrize(
    ("arguments", "keywords", "start"),
    [
        ((RESET,), {}, '{"email":"ada@example.com",'),
        ((AdminResetPasswordRequest(SECRET, SECRET),), {}, "{"),
        ((), {"token": SECRET, "password": SECRET}, "{"),
    ],
)
async def test_reset_password(connect: Connect, arguments: Any, keywords: Any, start: str) -> None:
    backend = Backend(json(MADE))
    answer = await call(connect(URL, transport=backend.transport), "users.reset_password", *arguments, **keywords)
    body = f'{start}"token":"{SECRET}","password":"{SECRET}"}}'
    assert backend.asked == ("POST", "/admin/users/reset-password", body.encode())
    assert answer.user.email == EMAIL


async def test_a_reset_by_a_token_that_is_not_good(connect: Connect) -> None:
    client = connect(URL, transport=Backend(httpx2.Response(401, text="Unauthorized")).transport)
    with pytest.raises(AuthenticationError):
        await call(client, "users.reset_password", RESET)


async def test_no_credential_goes_where_none_is_asked_for(connect: Connect) -> None:
    both = ["authorization", "x-medusa-access-token"]
    assert await credentials_of(connect, json(LIST), "users.list") == both
    assert await credentials_of(connect, json(MADE), "users.create", NEW) == both
    assert await credentials_of(connect, NO_CONTENT, "users.send_reset_password_token", {"email": EMAIL}) == []
    assert await credentials_of(connect, json(MADE), "users.reset_password", RESET) == []


@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        ((), {}, TypeError),
        ((NEW,), {"email": EMAIL}, TypeError),
        ((), {"email": EMAIL}, TypeError),
        ((), {**NEW, "passwd": SECRET}, TypeError),
        ((SECRET,), {}, TypeError),
        ((AdminPostAuthReq(EMAIL, SECRET),), {}, TypeError),
        (({1: SECRET},), {}, TypeError),
        (({"metadata": {1: SECRET}},), {}, TypeError),
        (({**NEW, "password": SECRET.encode()},), {}, TypeError),
        (({**NEW, "password": SECRET + "\ud800"},), {}, InvalidRequestError),
        ((AdminCreateUserRequest(EMAIL, SECRET + "\ud800"),), {}, InvalidRequestError),
        (({**NEW, "metadata": {"a": [SECRET + "\ud800"]}},), {}, InvalidRequestError),
        (({**NEW, SECRET + "\ud800": 1},), {}, InvalidRequestError),
        (({**NEW, "role": object()},), {}, TypeError),
    ],
)
async def test_a_payload_that_cannot_be_sent_is_not_sent(
    connect: Connect, arguments: Any, keywords: Any, error: type[Exception]
) -> None:
    backend = Backend(json(MADE))
    with pytest.raises(error) as caught:
        await call(connect(URL, transport=backend.transport), "users.create", *arguments, **keywords)
    assert (backend.received, SECRET in f"{caught.value!r} {caught.value.__context__!r}") == ([], False)


async def test_what_the_server_refuses_is_told_in_its_words(connect: Connect) -> None:
    body = '{"type":"invalid_data","message":"A user with the same email already exists."}'
    with pytest.raises(AnswerError, match="the same email already exists") as caught:
        await call(connect(URL, transport=Backend(json(body, 400)).transport), "users.create", NEW)
    assert (type(caught.value), caught.value.type) == (InvalidRequestError, "invalid_data")


async def test_no_error_shows_a_password_or_a_token(connect: Connect) -> None:
    await shows_nothing(connect, "users.create", NEW)
    await shows_nothing(connect, "users.update", "usr_1", api_token=SECRET)
    await shows_nothing(connect, "users.reset_password", **RESET)
