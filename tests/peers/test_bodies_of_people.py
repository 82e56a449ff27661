"""What is said of the bodies of users, invites and password resets, beside what class-validator says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.peers.peer import run_peer

from medusa_auth.errors import InvalidRequestError
from medusa_auth.server import validation

READERS: dict[str, Callable[[Any], Any]] = {
    "AdminCreateUserRequest": validation.read_admin_create_user_request,
    "AdminUpdateUserRequest": validation.read_admin_update_user_request,
    "AdminResetPasswordTokenRequest": validation.read_admin_reset_password_token_request,
    "AdminResetPasswordRequest": validation.read_admin_reset_password_request,
    "AdminPostInvitesReq": validation.read_admin_post_invites_req,
    "AdminPostInvitesInviteAcceptReq": validation.read_admin_post_invites_invite_accept_req,
}
NAMES = {"first_name": "Ada", "last_name": "L"}
GOOD: dict[str, dict[str, Any]] = {
    "AdminCreateUserRequest": {"email": "a@b.co", **NAMES, "role": "admin", "password": "x"},
    "AdminUpdateUserRequest": {**NAMES, "role": "member", "api_token": "t", "metadata": {"a": [1, None, {"b": ""}]}},
    "AdminResetPasswordTokenRequest": {"email": "a@b.co"},
    "AdminResetPasswordRequest": {"email": "a@b.co", "token": "t", "password": "x"},
    "AdminPostInvitesReq": {"user": "a@b.co", "role": "developer"},
    "AdminPostInvitesInviteAcceptReq": {"token": "t", "user": {**NAMES, "password": "x"}},
}
ODD: list[Any] = [None, "", " ", "Admin", "toString", 0, 1, -1.5, True, False, {}, {"a": 1}, {"0": 1}, {"toString": 1}]
LISTS: list[Any] = [[], ["a"], ["a@b.co"], [None], [{}], [[]], [{"password": "x"}]]
NO_LIST = "nested property user must be either object or array"


def bodies(good: dict[str, Any]) -> Iterator[Any]:
    """A good body, and each way to spoil it."""
    yield from (good, {}, [], [good])
    yield from ({**good, "zeta": 1, "alpha": None}, {"": 1}, {**good, "toString": 1, "__proto__": {}})
    yield from ({name: value for name, value in good.items() if name != missing} for missing in good)
    yield from ({**good, name: odd} for name in good for odd in odd_values(name))
    yield from (dict.fromkeys(good, odd) for odd in ODD)


def odd_values(name: str) -> list[Any]:
    return ODD + LISTS if name != "user" else ODD


def ours(request: str, body: str) -> str | None:
    """What our answer says of `body`; None if it is read."""
    try:
        READERS[request](json.loads(body))
    except InvalidRequestError as error:
        return error.message
    return None


def compared(request: str, all_bodies: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What we say of each body, and what class-validator says."""
    sent = [json.dumps(body) for body in all_bodies]
    theirs = run_peer("validation.js", {"request": request, "bodies": sent})
    return {body: ours(request, body) for body in sent}, dict(zip(sent, theirs, strict=True))


@pytest.mark.parametrize("request_name", GOOD)
def test_a_body_is_read_or_refused_in_the_words_of_class_validator(request_name: str):
    said, theirs = compared(request_name, list(bodies(GOOD[request_name])))
    assert said == theirs
    assert said[json.dumps(GOOD[request_name])] is None


def test_what_is_wrong_within_the_user_of_an_invite_is_told_with_the_rest():
    inner = {**NAMES, "password": "x"}
    wrong = [{**inner, name: odd} for name in inner for odd in [*ODD, *LISTS]]
    missing = [{"password": "x"}, {"first_name": "Ada"}, {"password": "x", "first_name": None}]
    users = [*wrong, *missing, {**inner, "zeta": 1, "email": "a@b.co"}, {**inner, "toString": 1}]
    said, theirs = compared(
        "AdminPostInvitesInviteAcceptReq",
        [{"token": token, "user": user} for token in ("t", "", 1) for user in users] + [{"user": {}, "zeta": 1}],
    )
    assert said == theirs
    assert any(message and message.startswith("token must be a string, first_name") for message in said.values())


@pytest.mark.parametrize("user", [[], [{"password": "x"}], [[]]])
def test_several_users_for_one_invite_are_refused_where_class_validator_lets_them_through(user: Any):
    [said], [theirs] = (
        answers.values() for answers in compared("AdminPostInvitesInviteAcceptReq", [{"token": "t", "user": user}])
    )
    assert (said, theirs) == (NO_LIST, None)


@pytest.mark.parametrize(
    ("request_name", "name", "said"),
    [
        ("AdminUpdateUserRequest", "metadata", None),
        ("AdminResetPasswordTokenRequest", "email", "email must be an email"),
        ("AdminPostInvitesInviteAcceptReq", "token", "token must be a string"),
    ],
)
def test_a_value_on_which_class_validator_breaks_is_read_or_refused_as_any_other(
    request_name: str, name: str, said: str | None
):
    body = {**GOOD[request_name], name: {"constructor": 1}}
    [message], [theirs] = (answers.values() for answers in compared(request_name, [body]))
    assert message == said
    assert theirs["thrown"].startswith("TypeError")


@pytest.mark.parametrize("address", ["a@b.c1", "a@localhost", "a", "a@b..co", "a b@b.co"])
def test_what_is_no_address_for_class_validator_is_none_for_a_new_user_either(address: str):
    for request_name, name in (("AdminCreateUserRequest", "email"), ("AdminPostInvitesReq", "user")):
        said, theirs = compared(request_name, [{**GOOD[request_name], name: address}])
        assert said == theirs
        assert list(said.values()) == [f"{name} must be an email"]


@pytest.mark.parametrize("address", ["a@example.invalid", '"a b"@b.co'])
def test_a_new_address_that_no_mail_reaches_is_refused_where_class_validator_takes_it(address: str):
    [said], [theirs] = (
        answers.values() for answers in compared("AdminPostInvitesReq", [{"user": address, "role": "admin"}])
    )
    assert (said, theirs) == ("user must be an email", None)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_name_that_no_store_keeps_is_refused_where_class_validator_takes_it(text: str):
    [said], [theirs] = (answers.values() for answers in compared("AdminUpdateUserRequest", [{"first_name": text}]))
    assert (said, theirs) == ("first_name must be a text", None)
