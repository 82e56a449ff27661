"""`medusa.admin.invites`, of both clients."""

from __future__ import annotations

from typing import Any

import pytest

from medusa_auth import (
    AdminPostInvitesInviteAcceptReq,
    AdminPostInvitesInviteAcceptUserReq,
    AdminPostInvitesReq,
    InvalidRequestError,
    UnexpectedAnswerError,
)

from .people import CREATED, OK, SECRET, URL, Backend, Connect, call, credentials_of, json, shows_nothing

pytestmark = pytest.mark.anyio

EMAIL = "new@example.com"
LIST = (
    f'{{"invites":[{{"id":"invite_1",{CREATED},"user_email":"new@example.com","role":"member","accepted":false,'
    f'"token":"{SECRET}","expires_at":"2026-12-01T08:25:38.400Z","metadata":null}}]}}'
)
DELETED = '{"id":"invite_1","object":"invite","deleted":true}'
INVITE = {"user": EMAIL, "role": "member"}
WHO = {"password": SECRET, "first_name": "Ada", "last_name": "L"}
ACCEPT = {"token": SECRET, "user": WHO}


async def test_list(connect: Connect) -> None:
    backend = Backend(json(LIST))
    answer = await call(connect(URL, transport=backend.transport), "invites.list", {"X-A": "1"})
    assert backend.asked == ("GET", "/admin/invites", b"")
    assert backend.received[0].headers["x-a"] == "1"
    (invite,) = answer.invites
    assert (invite.id, invite.user_email, invite.accepted, invite.token) == ("invite_1", EMAIL, False, SECRET)
    assert SECRET not in f"{answer!r} {invite!r}"


@pytest.mark.parametrize("how", ["dict", "struct", "keywords"])
async def test_create(connect: Connect, how: str) -> None:
    ways: dict[str, dict[str, Any]] = {
        "dict": {"payload": INVITE},
        "struct": {"payload": AdminPostInvitesReq(EMAIL, "member")},
        "keywords": INVITE,
    }
    backend = Backend(OK)
    answer = await call(connect(URL, transport=backend.transport), "invites.create", **ways[how])
    assert backend.asked == ("POST", "/admin/invites", b'{"user":"new@example.com","role":"member"}')
    assert answer.response.status == 200


async def test_resend(connect: Connect) -> None:
    backend = Backend(OK)
    answer = await call(connect(URL, transport=backend.transport), "invites.resend", "invite_1")
    assert backend.asked == ("POST", "/admin/invites/invite_1/resend", b"")
    assert answer.response.status == 200


async def test_delete(connect: Connect) -> None:
    backend = Backend(json(DELETED))
    answer = await call(connect(URL, transport=backend.transport), "invites.delete", "invite_1")
    assert backend.asked == ("DELETE", "/admin/invites/invite_1", b"")
    assert (answer.id, answer.object, answer.deleted) == ("invite_1", "invite", True)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((ACCEPT,), {}),
        ((AdminPostInvitesInviteAcceptReq(SECRET, AdminPostInvitesInviteAcceptUserReq(SECRET, "Ada", "L")),), {}),
        ((), ACCEPT),
        ((), {"token": SECRET, "user": AdminPostInvitesInviteAcceptUserReq(**WHO)}),
        (({"token": SECRET, "user": AdminPostInvitesInviteAcceptUserReq(**WHO)},), {}),
    ],
)
async def test_accept(connect: Connect, arguments: Any, keywords: Any) -> None:
    backend = Backend(OK)
    answer = await call(connect(URL, transport=backend.transport), "invites.accept", *arguments, **keywords)
    body = f'{{"token":"{SECRET}","user":{{"password":"{SECRET}","first_name":"Ada","last_name":"L"}}}}'
    assert backend.asked == ("POST", "/admin/invites/accept", body.encode())
    assert answer.response.status == 200


async def test_a_name_that_is_not_given_is_not_sent(connect: Connect) -> None:
    backend = Backend(OK)
    who = AdminPostInvitesInviteAcceptUserReq("x", last_name=None)
    await call(connect(URL, transport=backend.transport), "invites.accept", token="t", user=who)
    assert backend.asked[2] == b'{"token":"t","user":{"password":"x","last_name":null}}'


@pytest.mark.parametrize(
    ("invite_id", "target"), [("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("%2e%2e", "%252e%252e"), ("//h", "%2F%2Fh")]
)
async def test_an_id_is_one_segment_of_the_path(connect: Connect, invite_id: str, target: str) -> None:
    for method, answer, rest in (("resend", OK, "/resend"), ("delete", json(DELETED), "")):
        backend = Backend(answer)
        await call(connect(URL, transport=backend.transport), f"invites.{method}", invite_id)
        assert backend.asked[1] == f"/admin/invites/{target}{rest}"


@pytest.mark.parametrize(
    ("invite_id", "error"),
    [
        ("", InvalidRequestError),
        ("..", InvalidRequestError),
        ("../users", InvalidRequestError),
        (f"{SECRET}\ud800", InvalidRequestError),
        (None, TypeError),
        (7, TypeError),
    ],
)
async def test_what_is_no_id_is_not_sent(connect: Connect, invite_id: Any, error: type[Exception]) -> None:
    backend = Backend(OK)
    client = connect(URL, transport=backend.transport)
    for method in ("resend", "delete"):
        with pytest.raises(error) as caught:
            await call(client, f"invites.{method}", invite_id)
        assert SECRET not in repr(caught.value)
    assert backend.received == []


@pytest.mark.parametrize(
    ("method", "arguments", "keywords", "error"),
    [
        ("create", (), {}, TypeError),
        ("create", (INVITE,), {"role": "admin"}, TypeError),
        ("create", (), {"user": EMAIL}, TypeError),
        ("create", (), {**INVITE, "email": EMAIL}, TypeError),
        ("create", ([INVITE],), {}, TypeError),
        ("create", (), {**INVITE, "user": "\ud800"}, InvalidRequestError),
        ("accept", (), {"token": SECRET}, TypeError),
        ("accept", (), {**ACCEPT, "password": SECRET}, TypeError),
        ("accept", (), {"token": SECRET, "user": {"password": SECRET.encode()}}, TypeError),
        ("accept", (), {"token": SECRET, "user": {"password": SECRET + "\ud800"}}, InvalidRequestError),
        ("accept", (), {"token": SECRET, "user": AdminPostInvitesInviteAcceptUserReq("\udfff")}, InvalidRequestError),
    ],
)
async def test_a_payload_that_cannot_be_sent_is_not_sent(
    connect: Connect, method: str, arguments: Any, keywords: Any, error: type[Exception]
) -> None:
    backend = Backend(OK)
    with pytest.raises(error) as caught:
        await call(connect(URL, transport=backend.transport), f"invites.{method}", *arguments, **keywords)
    assert (backend.received, SECRET in f"{caught.value!r} {caught.value.__context__!r}") == ([], False)


async def test_no_credential_goes_with_the_acceptance(connect: Connect) -> None:
    both = ["authorization", "x-medusa-access-token"]
    assert await credentials_of(connect, OK, "invites.accept", ACCEPT) == []
    assert await credentials_of(connect, OK, "invites.create", INVITE) == both
    assert await credentials_of(connect, OK, "invites.resend", "invite_1") == both


async def test_errors_are_typed(connect: Connect) -> None:
    body = '{"type":"invalid_data","message":"Token is not valid"}'
    with pytest.raises(InvalidRequestError, match="Token is not valid"):
        await call(connect(URL, transport=Backend(json(body, 400)).transport), "invites.accept", ACCEPT)
    with pytest.raises(UnexpectedAnswerError, match="a text that is not OK"):
        await call(connect(URL, transport=Backend(json("{}")).transport), "invites.create", INVITE)


async def test_no_error_shows_a_password_or_a_token(connect: Connect) -> None:
    await shows_nothing(connect, "invites.accept", ACCEPT)
    await shows_nothing(connect, "invites.accept", **ACCEPT)
