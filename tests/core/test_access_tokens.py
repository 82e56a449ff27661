"""Which access tokens are good."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.core.house import NOW, House
from tests.core.tokens import GOOD, HEADER, IAT, TOKENS, b64, signed, without

from medusa_auth.errors import AuthenticationError


def test_a_good_token_tells_whose_it_is():
    token = TOKENS.verify(signed(GOOD), NOW)
    assert (token.id, token.user_id, token.expires_at) == ("id", "usr_1", NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    "payload",
    [
        GOOD | {"exp": IAT + 0.5},
        GOOD | {"iat": IAT + 59},
        GOOD | {"nbf": IAT},
        without("iat"),
        GOOD | {"more": {"deep": [1]}},
    ],
)
def test_these_are_good_too(payload: dict[str, Any]):
    assert TOKENS.verify(signed(payload), NOW).user_id == "usr_1"


@pytest.mark.asvs("9.1.1")
@pytest.mark.asvs("9.2.1")
@pytest.mark.asvs("9.2.2")
@pytest.mark.parametrize(
    "payload",
    [
        without("exp"),
        GOOD | {"exp": IAT},
        GOOD | {"exp": IAT - 1},
        GOOD | {"exp": str(IAT + 60)},
        GOOD | {"exp": True},
        GOOD | {"exp": None},
        GOOD | {"exp": 1e308},
        GOOD | {"exp": -1e308},
        GOOD | {"exp": 10**400},
        GOOD | {"iat": IAT + 61},
        GOOD | {"iat": "now"},
        GOOD | {"nbf": IAT + 61},
        GOOD | {"domain": "store"},
        GOOD | {"domain": ["admin"]},
        without("domain"),
        without("user_id"),
        GOOD | {"user_id": ""},
        GOOD | {"user_id": 1},
        GOOD | {"user_id": ["usr_1"]},
        GOOD | {"user_id": {"id": "usr_1"}},
        {"invite_id": "invite_1", "role": "admin", "user_email": "a@b.co", "iat": IAT},
        [],
        None,
        "text",
        b"{",
        b'{"exp":NaN}',
        b'{"user_id":"\\ud800"}',
        b"\xff",
        b"[" * 3000,
    ],
)
def test_no_other_payload_is(payload: Any):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(payload), NOW)


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
        {"alg": "HS256", "b64": False, "crit": ["b64"]},
        [],
        b"{",
    ],
)
def test_no_other_header_is(header: Any):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(GOOD, header), NOW)


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


def test_a_token_without_an_id_has_one_that_its_text_gives_it():
    token = signed(without("jti"))
    assert TOKENS.verify(token, NOW).id == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


@pytest.mark.anyio
async def test_a_token_of_the_same_second_is_dead_if_it_came_before_and_good_if_after(house: House):
    user = await house.add_user()
    house.now += timedelta(milliseconds=300)

    async def issue() -> str:
        return await house.records.write(lambda tx: house.access_tokens.issue(tx, user, house.now))

    async def is_good(token: str) -> bool:
        verified = house.access_tokens.verify(token, house.now)
        return await house.records.look(house.access_tokens.find_users, verified) is not None

    before = await issue()
    house.now += timedelta(milliseconds=100)
    await house.records.write(lambda tx: house.access_tokens.revoke_of_user(tx, user.id, house.now))
    house.now += timedelta(milliseconds=100)
    after = await issue()
    assert [await is_good(before), await is_good(after)] == [False, True]
    await house.records.write(
        lambda tx: house.access_tokens.revoke(tx, house.access_tokens.verify(after, house.now), house.now)
    )
    assert not await is_good(after)
    assert await is_good(await issue())
