"""Access tokens as they are written, and how they end."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from tests.core.house import CLAIMS, EMAIL, KEY, NOW, PASSWORD, House
from tests.core.tokens import GOOD, IAT, TOKENS, signed
from tests.core.tools import SeededRandom

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.identities import Credential
from medusa_auth.core.jwts import MAX_TOKEN_LENGTH
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Method, User

anyio = pytest.mark.anyio

CRITS: list[Any] = [None, True, 1, 1.5, [None], [[]], [{}]]


def decoded(part: str) -> dict[str, Any]:
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(claims, dict)
    return claims


async def issue(house: House, user: User) -> str:
    return await house.records.write(lambda tx: house.access_tokens.issue(tx, user, house.now))


async def revoke_all(house: House, user: User, now: datetime | None = None) -> None:
    await house.records.write(lambda tx: house.access_tokens.revoke_of_user(tx, user.id, now or house.now))


async def is_good(house: House, token: str) -> bool:
    verified = house.access_tokens.verify(token, house.now)
    return await house.records.look(house.access_tokens.find_users, verified) is not None


@anyio
async def test_a_token_has_medusas_header_and_claims_in_medusas_order_and_an_id(house: House):
    user, random = await house.add_user(), SeededRandom()
    tokens = AccessTokens([KEY], CLAIMS, timedelta(hours=24), random)
    house.now += timedelta(milliseconds=900)
    token = await house.records.write(lambda tx: tokens.issue(tx, user, house.now))
    header, payload, _ = token.split(".")
    assert decoded(header) == {"alg": "HS256", "typ": "JWT"}
    claims = decoded(payload)
    assert list(claims) == ["user_id", "domain", "iat", "exp", "jti"]
    assert claims | {"jti": ""} == {"user_id": user.id, "domain": "admin", "iat": IAT, "exp": IAT + 86400, "jti": ""}
    assert len(base64.urlsafe_b64decode(claims["jti"] + "==")) == 16
    assert random.asked == [16]
    assert len(token) < 300


@anyio
@pytest.mark.asvs("11.5.1")
async def test_two_tokens_of_one_second_have_two_ids(house: House):
    user = await house.add_user()
    tokens = {await issue(house, user) for _ in range(10)}
    assert len({house.access_tokens.verify(each, house.now).id for each in tokens}) == 10


@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize(
    ("claims", "after", "good"),
    [
        ({}, timedelta(seconds=60, microseconds=-1), True),
        ({}, timedelta(seconds=60), False),
        ({"iat": IAT + 60}, timedelta(0), True),
        ({"iat": IAT + 60.001}, timedelta(0), False),
        ({"nbf": IAT + 60}, timedelta(0), True),
        ({"nbf": IAT + 60.001}, timedelta(0), False),
    ],
    ids=["last moment", "over", "iat in leeway", "iat beyond", "nbf in leeway", "nbf beyond"],
)
def test_times_are_kept_to_the_moment_with_leeway_only_for_beginnings(
    claims: dict[str, Any], after: timedelta, good: bool
):
    token = signed(GOOD | {"exp": IAT + 60} | claims)
    if good:
        assert TOKENS.verify(token, NOW + after).user_id == "usr_1"
    else:
        with pytest.raises(AuthenticationError):
            TOKENS.verify(token, NOW + after)


@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [b"true", b"null", b'"1800000000"', b"[1800000000]", b"{}", b"1e400", b"-1e400", b"NaN"]
)
def test_a_time_that_is_no_number_or_no_time_is_refused(name: str, value: bytes):
    claims = {key: kept for key, kept in GOOD.items() if key != name}
    payload = json.dumps(claims).encode()[:-1] + b', "' + name.encode() + b'": ' + value + b"}"
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(payload), NOW)


@pytest.mark.asvs("15.3.7")
def test_of_a_claim_that_is_there_twice_the_last_counts_as_in_javascript():
    twice = b'{"user_id":"usr_2",' + json.dumps(GOOD).encode()[1:]
    assert TOKENS.verify(signed(twice), NOW).user_id == "usr_1"
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(json.dumps(GOOD).encode()[:-1] + b',"domain":"store"}'), NOW)


@pytest.mark.asvs("9.1.2")
def test_the_signature_of_another_algorithm_is_not_taken_for_an_hs256():
    for kind in ({"alg": "HS256", "b64": False}, {"alg": "HS256", "b64": False, "crit": ["b64"]}):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(signed(GOOD, kind), NOW)


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
@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS256"])
def test_a_token_without_a_signature_is_refused_whatever_its_header_says(algorithm: str):
    head = signed(GOOD, {"alg": algorithm, "typ": "JWT"}).rpartition(".")[0]
    for token in (head, head + ".", head + "..", head + ".AA"):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(token, NOW)


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
@pytest.mark.parametrize("make", [lambda: RSAKey.generate_key(2048), lambda: ECKey.generate_key("P-256")])
def test_a_token_that_is_keyed_with_a_public_key_is_refused(make: Any):
    public = make().as_pem(private=False).decode()
    for algorithm in ("HS256", "RS256", "ES256"):
        with pytest.raises(AuthenticationError):
            TOKENS.verify(signed(GOOD, {"alg": algorithm}, public), NOW)


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


@pytest.mark.asvs("9.2.2")
@pytest.mark.parametrize("purpose", [{}, {"domain": "store"}, {"domain": ""}, {"domain": None}, {"domain": True}])
def test_a_token_for_something_else_is_refused(purpose: dict[str, Any]):
    claims = {key: value for key, value in GOOD.items() if key != "domain"}
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(claims | purpose), NOW)


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
    started = time.perf_counter()
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(deep), NOW)
    assert time.perf_counter() - started < 0.1


def test_a_token_without_an_id_has_the_same_one_each_time_and_another_token_another():
    claims = {key: value for key, value in GOOD.items() if key != "jti"}
    one, other = signed(claims), signed(claims | {"exp": IAT + 61})
    assert TOKENS.verify(one, NOW).id == TOKENS.verify(one, NOW + timedelta(seconds=1)).id
    assert TOKENS.verify(one, NOW).id != TOKENS.verify(other, NOW).id


@pytest.mark.parametrize("odd", [{"user_id": "usr_1\0"}, {"user_id": "\ud800"}, {"jti": "\0"}, {"jti": "\udfff"}])
def test_an_id_that_no_database_can_hold_is_nobodys(odd: dict[str, str]):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(GOOD | odd), NOW)


@pytest.mark.parametrize("jti", ["", None, 7, ["id"]])
def test_an_id_that_is_no_text_counts_as_none(jti: Any):
    assert len(TOKENS.verify(signed(GOOD | {"jti": jti}), NOW).id) == 64


def test_the_spare_bits_of_a_signature_do_not_make_another_token_of_it():
    claims = {key: value for key, value in GOOD.items() if key != "jti"}
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


@anyio
@pytest.mark.asvs("7.4.1")
async def test_one_revoked_token_ends_for_those_who_remember_it_and_the_others_stay(house: House):
    user, identities = await house.add_user(), house.identities()
    ended, other = await issue(house, user), await issue(house, user)
    for token in (ended, other):
        await identities.check(Credential(Method.ACCESS_TOKEN, token), house.now)
    await house.login.sign_out(None, ended, house.now)
    await identities.check(Credential(Method.ACCESS_TOKEN, other), house.now)
    with pytest.raises(AuthenticationError):
        await identities.check(Credential(Method.ACCESS_TOKEN, ended), house.now)


@anyio
@pytest.mark.asvs("7.4.1")
async def test_medusas_tokens_without_an_id_can_be_revoked_too(house: House):
    user, identities = await house.add_user(), house.identities()
    medusas = signed({"user_id": user.id, "domain": "admin", "iat": IAT, "exp": IAT + 86400})
    assert (await identities.check(Credential(Method.ACCESS_TOKEN, medusas), house.now)).user == user
    await house.login.sign_out(None, medusas, house.now)
    with pytest.raises(AuthenticationError):
        await identities.check(Credential(Method.ACCESS_TOKEN, medusas), house.now)


@anyio
async def test_a_token_that_does_not_say_when_it_was_issued_ends_with_all_of_its_user(house: House):
    user = await house.add_user()
    token = signed({"user_id": user.id, "domain": "admin", "exp": IAT + 86400})
    assert await is_good(house, token)
    await revoke_all(house, user)
    assert not await is_good(house, token)


@anyio
async def test_a_revoked_token_is_remembered_as_long_as_it_would_live_and_no_longer(house: House):
    user = await house.add_user()
    token = await issue(house, user)
    await house.login.sign_out(None, token, house.now)
    house.now += timedelta(hours=23, minutes=59)
    await house.login.sign_out(None, await issue(house, user), house.now)
    assert not await is_good(house, token)
    ended = house.access_tokens.verify(token, house.now)
    house.now += timedelta(minutes=1)
    await house.login.sign_out(None, await issue(house, user), house.now)
    assert not await house.records.read(lambda tx: tx.access_tokens.is_revoked(ended.id))


@anyio
@pytest.mark.asvs("7.4.3")
@pytest.mark.parametrize("milliseconds", [0, 1, 500, 999])
async def test_all_of_a_user_end_in_whatever_part_of_a_second_and_a_new_login_works_at_once(
    house: House, milliseconds: int
):
    user = await house.add_user()
    house.now += timedelta(milliseconds=milliseconds)
    before = await issue(house, user)
    await revoke_all(house, user)
    after = await house.login.issue_token(EMAIL, PASSWORD, house.now)
    assert [await is_good(house, token) for token in (before, after)] == [False, True]


@anyio
async def test_the_tokens_of_another_user_do_not_end_with_it(house: House):
    user, other = await house.add_user(), await house.add_user("other@example.com")
    token = await issue(house, other)
    await revoke_all(house, user)
    assert await is_good(house, token)


@anyio
@pytest.mark.asvs("7.4.3")
async def test_a_second_end_within_the_second_ends_what_was_issued_after_the_first(house: House):
    user = await house.add_user()
    await revoke_all(house, user)
    between = await issue(house, user)
    await revoke_all(house, user)
    assert not await is_good(house, between)


@anyio
@pytest.mark.asvs("7.4.3")
async def test_what_has_ended_stays_ended_when_the_clock_goes_back(house: House):
    user = await house.add_user()
    token = await issue(house, user)
    await revoke_all(house, user)
    await revoke_all(house, user, house.now - timedelta(minutes=5))
    assert not await is_good(house, token)
