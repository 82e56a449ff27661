"""Whatever comes in, the parsers answer or refuse, and never fail."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.passwords import Argon2id, Scrypt
from medusa_auth.errors import AuthenticationError, InvalidRequestError
from medusa_auth.server.cookies import SessionCookie, sign, unsign
from medusa_auth.server.emails import is_email
from medusa_auth.server.validation import read_admin_post_auth_req

COOKIE = SessionCookie(["k" * 32], "lax")
TOKENS = AccessTokens(["k" * 32], Claims("user_id", {"domain": "admin"}), timedelta(hours=1))
NOW = datetime(2026, 11, 24, tzinfo=UTC)

any_text = st.text(st.characters(exclude_categories=()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=10,
)
base64url = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=", max_size=60)


@given(value=any_text, key=st.binary(min_size=1))
def test_what_was_signed_is_read_back(value: str, key: bytes):
    assert unsign(sign(value, key), [key]) == value


@given(value=any_text)
def test_what_was_not_signed_is_nothing(value: str):
    assert unsign(value, [b"key"]) is None


@given(header=any_text, value=any_text)
def test_a_cookie_header_is_read_whatever_it_is(header: str, value: str):
    COOKIE.find(header)
    assert COOKIE.read(value) is None


@given(session_id=st.text("abcXYZ019-_", min_size=1, max_size=40), noise=st.text('ab=; \t%"', max_size=10))
def test_a_cookie_that_was_written_is_read_back_among_others(session_id: str, noise: str):
    pair = COOKIE.write(session_id, NOW, secure=True).partition(";")[0]
    found = COOKIE.find(f"a{noise}; {pair}; b={noise}")
    assert found is not None
    assert COOKIE.read(found) == session_id


@given(token=any_text | st.tuples(base64url, base64url, base64url).map(".".join))
def test_a_token_that_was_not_signed_is_refused(token: str):
    with suppress(AuthenticationError):
        TOKENS.verify(token, NOW)
        raise AssertionError


@given(body=json_values | st.fixed_dictionaries({"email": json_values, "password": json_values}))
def test_a_body_is_read_or_refused(body: Any):
    with suppress(InvalidRequestError):
        req = read_admin_post_auth_req(body)
        assert isinstance(req.email, str)
        assert isinstance(req.password, str)


@given(value=any_text | st.tuples(any_text, any_text).map("@".join))
def test_an_address_is_one_or_not(value: str):
    assert is_email(value) in {True, False}


@given(password=any_text, kept=any_text | base64url)
def test_what_is_no_hash_is_nobodys(password: str, kept: str):
    assert not Scrypt().verify(password, kept)
    assert not Argon2id().verify(password, kept)


@given(base64url.filter(bool), st.data())
def test_however_a_cookie_is_spelled_it_is_one_credential(session_id: str, data: st.DataObject):
    written = COOKIE.pair(session_id.replace("=", "-")).partition("=")[2]
    plain = unquote(written)
    encoded = data.draw(st.sets(st.integers(0, len(plain) - 1)))
    spelled = "".join(f"%{ord(char):02x}" if place in encoded else char for place, char in enumerate(plain))
    quotes = data.draw(st.sampled_from(["", '"']))
    assert COOKIE.find(f"a=1; connect.sid={quotes}{spelled}{quotes} ; b=2") == written
    assert COOKIE.find(f"connect.sid={written}") == written


@given(st.text(st.characters(max_codepoint=255, exclude_characters=";"), max_size=80))
def test_what_a_cookie_says_is_the_same_after_it_is_found(value: str):
    found = COOKIE.find(f"connect.sid={value}")
    assert found is not None
    assert COOKIE.read(found) == COOKIE.read(value.strip())
