"""Which tokens are taken for ones that a key of ours signed, and what is read in them."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from tests.core.house import CLAIMS, KEY, NOW, House
from tests.core.tokens import GOOD, HEADER, TOKENS, b64, signed, without

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.jwts import MAX_TOKEN_LENGTH
from medusa_auth.errors import AuthenticationError

anyio = pytest.mark.anyio

CRITS: list[Any] = [None, True, 1, 1.5, [None], [[]], [{}]]


@pytest.mark.asvs("9.1.2")
@pytest.mark.asvs("9.1.3")
@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
        {},
        {"alg": "HS256", "crit": ["exp"]},
        {"alg": "HS256", "b64": False},
        {"alg": "HS256", "b64": False, "crit": ["b64"]},
        [],
        b"{",
    ],
)
def test_no_header_but_that_of_hs256_is_taken(header: Any):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(GOOD, header), NOW)


@pytest.mark.asvs("9.1.2")
@pytest.mark.asvs("11.2.5")
@pytest.mark.parametrize("key", [KEY, "forged" * 6], ids=["signed", "forged"])
@pytest.mark.parametrize(
    "header",
    [["alg"], *({"alg": "HS256", "crit": crit} for crit in CRITS)],
    ids=repr,
)
def test_a_header_of_the_wrong_types_is_refused(header: Any, key: str):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(GOOD, header, key), NOW)


@pytest.mark.asvs("9.1.3")
@pytest.mark.parametrize(
    "more",
    [
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/keys"},
        {"jwk": {"kty": "oct", "k": base64.urlsafe_b64encode(b"attackers" * 5).decode().rstrip("=")}},
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
    ],
    ids=["jku", "x5u", "jwk", "kid path", "kid sql"],
)
def test_no_header_brings_a_key_with_it(more: dict[str, Any]):
    for key in ("", "attackers" * 5, "\0" * 32):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(signed(GOOD, {"alg": "HS256"} | more, key or "x"), NOW)


@pytest.mark.asvs("9.1.2")
@pytest.mark.asvs("11.4.3")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_token_that_our_key_signed_with_another_algorithm_is_refused(algorithm: str):
    token = jwt.encode({"alg": algorithm}, GOOD, OctKey.import_key("k" * 64), algorithms=[algorithm])
    tokens = AccessTokens(["k" * 64], CLAIMS, timedelta(hours=24))
    # It is the algorithm alone that is wrong.
    assert tokens.verify(signed(GOOD, key="k" * 64), NOW).user_id == "usr_1"
    with pytest.raises(AuthenticationError):
        tokens.verify(token, NOW)


@pytest.mark.asvs("9.1.2")
@pytest.mark.parametrize("make", [lambda: RSAKey.generate_key(2048), lambda: ECKey.generate_key("P-256")])
def test_a_token_that_is_keyed_with_a_public_key_is_refused(make: Any):
    public = make().as_pem(private=False).decode()
    for algorithm in ("HS256", "RS256", "ES256"):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(signed(GOOD, {"alg": algorithm}, public), NOW)


@pytest.mark.asvs("9.1.2")
@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS256"])
def test_a_token_without_a_signature_is_refused_whatever_its_header_says(algorithm: str):
    head = signed(GOOD, {"alg": algorithm, "typ": "JWT"}).rpartition(".")[0]
    for token in (head, head + ".", head + "..", head + ".AA"):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(token, NOW)


def test_a_signature_must_be_there_and_right():
    header, payload, signature = signed(GOOD).split(".")
    for token in (
        "",
        ".",
        "..",
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature}=",
        f"{header}.{payload}.{signature[:-1]}",
        f"{header}.{payload}.{signature}.x",
        f" {header}.{payload}.{signature}",
        f"{header}.{b64(json.dumps(GOOD | {'user_id': 'usr_2'}).encode())}.{signature}",
        signed(GOOD, key="another" * 5),
        signed(GOOD, HEADER | {"padding": "x" * 5000}),
        "ä.ö.ü",
    ):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(token, NOW)


def test_the_spare_bits_of_a_signature_do_not_make_another_token_of_it():
    claims = without("jti")
    token = signed(claims)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    try:
        found = TOKENS.verify(twin, NOW)
    except AuthenticationError:
        return
    assert found.id == TOKENS.verify(token, NOW).id


@anyio
@pytest.mark.asvs("11.2.2")
@pytest.mark.asvs("13.3.4")
async def test_the_first_key_signs_and_a_dropped_one_is_refused(house: House):
    user = await house.add_user()
    old, both, new = (
        AccessTokens(keys, CLAIMS, timedelta(hours=1)) for keys in (["a" * 32], ["b" * 32, "a" * 32], ["b" * 32])
    )
    before = await house.records.write(lambda tx: old.issue(tx, user, house.now))
    after = await house.records.write(lambda tx: both.issue(tx, user, house.now))
    assert both.verify(before, house.now) == old.verify(before, house.now)
    assert both.verify(after, house.now) == new.verify(after, house.now)
    assert both.verify(before, house.now).user_id == new.verify(after, house.now).user_id == user.id
    for tokens, token in ((old, after), (new, before)):
        with pytest.raises(AuthenticationError):
            tokens.verify(token, house.now)


@pytest.mark.asvs("15.3.7")
def test_of_a_claim_that_is_there_twice_the_last_counts_as_in_javascript():
    twice = b'{"user_id":"usr_2",' + json.dumps(GOOD).encode()[1:]
    assert TOKENS.verify(signed(twice), NOW).user_id == "usr_1"
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(json.dumps(GOOD).encode()[:-1] + b',"domain":"store"}'), NOW)


@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [b"true", b"null", b'"1800000000"', b"[1800000000]", b"{}", b"1e400", b"-1e400", b"NaN"]
)
def test_a_time_that_is_no_number_or_no_time_is_refused(name: str, value: bytes):
    claims = without(name)
    payload = json.dumps(claims).encode()[:-1] + b', "' + name.encode() + b'": ' + value + b"}"
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(payload), NOW)


def test_a_token_as_long_as_allowed_is_read_and_one_that_is_longer_is_not():
    def padded(length: int) -> str:
        for size in range(length):
            token = signed(GOOD | {"pad": "x" * size})
            if len(token) >= length:
                return token
        raise AssertionError

    longest = padded(MAX_TOKEN_LENGTH - 2)
    assert len(longest) <= MAX_TOKEN_LENGTH
    assert TOKENS.verify(longest, NOW).user_id == "usr_1"
    with pytest.raises(AuthenticationError):
        TOKENS.verify(padded(MAX_TOKEN_LENGTH + 1), NOW)


@pytest.mark.parametrize("deep", [b"[" * 2900, b'{"a":' * 580, b"[" * 1450 + b"]" * 1450])
def test_a_payload_that_is_nested_deeply_is_refused_quickly(deep: bytes):
    started = time.process_time()
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(deep), NOW)
    assert time.process_time() - started < 0.1
