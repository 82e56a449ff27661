"""Access tokens as a client sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth import AuthenticationError, UnexpectedAnswerError
from medusa_auth.client.access_tokens import lifetime, read_token
from medusa_auth.client.replies import Reply

from .samples import jwt, token_body

NOW = 1795485483.0
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        (jwt(user_id="usr_1", domain="admin", iat=1795485483, exp=1795571883), 86400.0),
        (jwt(iat=0, exp=100), 100.0),
        (jwt(exp=NOW + 5.5), 5.5),
        (jwt(exp=NOW - 5), 0.0),
        (jwt(iat=10, exp=5), 0.0),
        (jwt(exp=1e300), 1e9),
        (jwt(iat=NOW), None),
        (jwt(exp="soon"), None),
        (jwt(exp=True), None),
        (jwt(exp=None), None),
        ("opaque", None),
        ("a.b.c", None),
        ("a.!!!.c", None),
        ("..", None),
    ],
)
def test_a_token_is_good_for_exp_less_iat(token: str, seconds: float | None) -> None:
    assert lifetime(token, NOW) == seconds


@given(st.text())
def test_no_token_makes_the_reader_raise(token: str) -> None:
    lifetime(token, NOW)
    lifetime(f"a.{token}.b", NOW)


def test_a_token_is_read_from_medusas_answer() -> None:
    assert read_token(Reply(200, JSON, b'{"access_token":"a.b.c"}')).access_token == "a.b.c"


@pytest.mark.parametrize("token", ["", "a b", "a\\r\\nX-Other: 1", "\u00e9"])
def test_a_token_that_no_header_can_carry_is_an_unexpected_answer(token: str) -> None:
    with pytest.raises(UnexpectedAnswerError):
        read_token(Reply(200, JSON, f'{{"access_token":"{token}"}}'.encode()))


def test_a_refused_login_is_an_authentication_error() -> None:
    with pytest.raises(AuthenticationError):
        read_token(Reply(401, {}, b"Unauthorized"))


def test_the_answer_does_not_show_the_token() -> None:
    assert "a-secret" not in repr(read_token(Reply(200, JSON, token_body("a-secret").encode())))
