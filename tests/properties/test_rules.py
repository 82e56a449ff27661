"""Whatever comes in, the rules answer or refuse in their own words, and never fail otherwise."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.core.tokens import IAT, TOKENS, signed

from medusa_auth.core.passwords import Argon2id, Scrypt
from medusa_auth.core.sessions import SessionRules
from medusa_auth.core.users import normalized_email
from medusa_auth.errors import AuthenticationError, InvalidRequestError
from medusa_auth.model import Session
from medusa_auth.server.cookies import SessionCookie, sign, unsign
from medusa_auth.server.emails import is_email
from medusa_auth.server.validation import read_admin_post_auth_req
from medusa_auth.setting_values import duration as parse_duration
from medusa_auth.settings import Settings

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PARSERS = {each.metadata["env"]: each.metadata["read"] for each in fields(Settings) if each.metadata}
COOKIE = SessionCookie(["k" * 32, "o" * 32], "lax")

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
# What an HTTP server makes of the octets of a header.
header_text = st.text(st.characters(max_codepoint=255), max_size=80)
json_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
odd_times = (
    st.integers() | st.floats() | st.text(max_size=5) | st.booleans() | st.none() | st.integers(IAT - 99, IAT + 99)
)
claims = st.fixed_dictionaries(
    {},
    optional={
        "user_id": json_values | st.just("usr_1"),
        "domain": json_values | st.just("admin"),
        "exp": odd_times,
        "iat": odd_times,
        "nbf": odd_times,
        "jti": json_values,
    },
)


@pytest.mark.asvs("9.1.1")
@given(token=any_text | st.lists(any_text, min_size=3, max_size=3).map(".".join))
def test_a_token_that_nobody_signed_is_refused_as_unauthorized(token: str):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(token, NOW)


@pytest.mark.asvs("9.2.1")
@pytest.mark.asvs("1.4.2")
@given(payload=claims | json_values)
@example({"user_id": "usr_1", "domain": "admin", "exp": IAT + 60, "iat": IAT})
def test_claims_that_are_signed_are_exactly_right_or_refused_as_unauthorized(payload: Any):
    try:
        token = TOKENS.verify(signed(payload), NOW)
    except AuthenticationError:
        return
    assert payload["domain"] == "admin"
    assert token.user_id == payload["user_id"] != ""
    assert token.expires_at > NOW
    assert not isinstance(payload["exp"], bool)
    assert token.id


# `crit` and arrays are left out: `test_access_token_rules` holds what becomes of them.
@given(header=json_scalars | st.dictionaries(st.sampled_from(["alg", "typ", "kid", "b64", "jwk", "jku"]), json_values))
def test_a_header_that_does_not_name_our_algorithm_is_refused_as_unauthorized(header: Any):
    assume(not (isinstance(header, dict) and header.get("alg") == "HS256"))
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed({"user_id": "usr_1", "domain": "admin", "exp": IAT + 60}, header), NOW)


@given(value=any_text, key=st.binary(min_size=1, max_size=40), others=st.lists(st.binary(min_size=1), max_size=3))
def test_what_one_of_the_keys_signed_is_read_back(value: str, key: bytes, others: list[bytes]):
    assert unsign(sign(value, key), [*others, key]) == value


@given(value=any_text, tail=any_text, key=st.binary(min_size=1, max_size=40))
def test_what_follows_a_signature_spoils_it(value: str, tail: str, key: bytes):
    assume(tail)
    assert unsign(sign(value, key) + tail, [key]) is None


@given(header=header_text)
def test_a_header_of_whatever_octets_holds_a_cookie_or_none(header: str):
    found = COOKIE.find(header)
    assert found is None or COOKIE.read(found) is None


@given(value=header_text)
def test_a_cookie_of_whatever_octets_was_not_signed_here(value: str):
    assert COOKIE.read(value) is None
    assert COOKIE.read(f"s:{value}") is None
    assert COOKIE.read(f"s%3A{value}") is None


def test_a_cookie_with_half_a_surrogate_pair_and_a_percent_was_not_signed_here():
    assert COOKIE.read("%\ud800") is None


@given(name=st.sampled_from(sorted(PARSERS)), value=any_text)
def test_a_setting_is_parsed_or_refused_with_a_sentence(name: str, value: str):
    """`from_env` makes a SettingsError of a ValueError, and of nothing else."""
    assume(not any("\ud800" <= character <= "\udfff" for character in value))
    said = ["at first"]
    try:
        PARSERS[name](value.strip())
    except ValueError as refusal:
        said = [str(refusal)]
    assert all(said)


@given(number=st.integers(1, 365), unit=st.sampled_from(["", "s", "m", "h", "d"]))
def test_a_duration_is_as_long_as_it_says(number: int, unit: str):
    seconds = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert parse_duration(f"{number}{unit}") == number * timedelta(seconds=seconds)


@pytest.mark.asvs("15.3.5")
@given(body=json_values | st.fixed_dictionaries({"email": json_values, "password": json_values}))
def test_a_body_is_two_texts_or_refused_as_invalid(body: Any):
    try:
        req = read_admin_post_auth_req(body)
    except InvalidRequestError:
        return
    assert body["email"] == req.email
    assert body["password"] == req.password != ""
    assert is_email(req.email)


@given(local=st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=64), label=st.text("abcxyz019", min_size=1))
def test_an_address_of_what_rfc_5321_allows_is_one(local: str, label: str):
    assume(len(label) <= 63)
    assert is_email(f"{local}@{label}.example")


def test_a_domain_with_half_a_surrogate_pair_is_none():
    assert not is_email("a@\ud800b.com")


@given(value=any_text)
def test_whether_a_text_is_an_address_can_always_be_said(value: str):
    assert is_email(value) in {True, False}
    assert is_email(f"a@{value}.example") in {True, False}


@given(email=st.text(st.characters(max_codepoint=0x17F), max_size=20))
def test_an_address_of_latin_letters_is_normal_once_it_is_normalized(email: str):
    assert normalized_email(normalized_email(email)) == normalized_email(email)


@given(kept=any_text.filter(str.isascii), password=st.text(max_size=5))
@example("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$", "")
def test_a_text_that_is_no_hash_is_nobodys(kept: str, password: str):
    for scheme in (Argon2id(), Scrypt()):
        for prefix in ("", "$argon2id$v=19$", "$argon2id$v=19$m=8,t=1,p=1$", "c2NyeXB0"):
            assert not scheme.verify(password, prefix + kept)
            assert not scheme.owns(prefix + kept) or prefix


@given(container=st.binary(max_size=89), password=st.text(max_size=5))
def test_a_container_that_was_not_sealed_is_nobodys(container: bytes, password: str):
    assert not Scrypt().verify(password, base64.b64encode(b"scrypt\0\1" + container.ljust(88, b"\0")).decode())


@given(
    idle=st.integers(0, 7200), age=st.integers(0, 40_000), seconds=st.integers(1, 40_000), limit=st.integers(1, 7200)
)
def test_a_session_is_over_exactly_when_its_life_or_its_idle_limit_is(idle: int, age: int, seconds: int, limit: int):
    rules = SessionRules(timedelta(seconds=seconds), timedelta(seconds=limit))
    started, seen = NOW - timedelta(seconds=age), NOW - timedelta(seconds=idle)
    session = Session("hash", "usr_1", started, seen, started + rules.life)
    assert rules.is_over(session, NOW) is (age >= seconds or idle >= limit)


@given(value=json_values)
def test_what_we_sign_in_these_tests_is_what_others_sign(value: Any):
    payload = signed(value).split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == value
