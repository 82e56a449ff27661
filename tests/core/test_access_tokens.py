"""Access tokens as they are written, which are good, and how they end."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.house import CLAIMS, EMAIL, KEY, NOW, PASSWORD, House
from tests.core.tokens import GOOD, IAT, TOKENS, signed, without
from tests.core.tools import SeededRandom

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.identities import Credential
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Method, User

anyio = pytest.mark.anyio


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
    assert list(claims) == ["user_id", "domain", "iat", "exp", "jti", "epoch"]
    told = {"user_id": user.id, "domain": "admin", "iat": IAT, "exp": IAT + 86400, "epoch": 0}
    assert claims == told | {"jti": claims["jti"]}
    assert len(base64.urlsafe_b64decode(claims["jti"] + "==")) == 16
    assert random.asked == [16]
    assert len(token) < 300


@anyio
@pytest.mark.asvs("11.5.1")
async def test_two_tokens_of_one_second_have_two_ids(house: House):
    user = await house.add_user()
    tokens = {await issue(house, user) for _ in range(10)}
    assert len({house.access_tokens.verify(each, house.now).id for each in tokens}) == 10


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


@pytest.mark.asvs("9.2.2")
@pytest.mark.parametrize("purpose", [{}, {"domain": "store"}, {"domain": ""}, {"domain": None}, {"domain": True}])
def test_a_token_for_something_else_is_refused(purpose: dict[str, Any]):
    claims = without("domain")
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(claims | purpose), NOW)


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


def test_a_token_without_an_id_has_one_that_its_text_gives_it():
    token = signed(without("jti"))
    assert TOKENS.verify(token, NOW).id == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def test_a_token_without_an_id_has_the_same_one_each_time_and_another_token_another():
    claims = without("jti")
    one, other = signed(claims), signed(claims | {"exp": IAT + 61})
    assert TOKENS.verify(one, NOW).id == TOKENS.verify(one, NOW + timedelta(seconds=1)).id
    assert TOKENS.verify(one, NOW).id != TOKENS.verify(other, NOW).id


@pytest.mark.parametrize("jti", ["", None, 7, ["id"]])
def test_an_id_that_is_no_text_counts_as_none(jti: Any):
    assert len(TOKENS.verify(signed(GOOD | {"jti": jti}), NOW).id) == 64


@pytest.mark.parametrize("odd", [{"user_id": "usr_1\0"}, {"user_id": "\ud800"}, {"jti": "\0"}, {"jti": "\udfff"}])
def test_an_id_that_no_database_can_hold_is_nobodys(odd: dict[str, str]):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(GOOD | odd), NOW)


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
async def test_a_revoked_token_is_remembered_until_it_is_over_by_every_clock_and_no_longer(house: House):
    user = await house.add_user()
    token = await issue(house, user)
    await house.login.sign_out(None, token, house.now)
    house.now += timedelta(hours=23, minutes=59)
    await house.login.sign_out(None, await issue(house, user), house.now)
    assert not await is_good(house, token)
    ended = house.access_tokens.verify(token, house.now)
    for since, remembered in [(timedelta(minutes=1), True), (timedelta(minutes=59), True), (timedelta(hours=1), False)]:
        house.now = ended.expires_at + since
        await house.login.sign_out(None, await issue(house, user), house.now)
        assert await house.records.read(lambda tx: tx.access_tokens.is_revoked(ended.id)) is remembered


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


@anyio
async def test_a_token_that_does_not_say_when_it_was_issued_ends_with_all_of_its_user(house: House):
    user = await house.add_user()
    token = signed({"user_id": user.id, "domain": "admin", "exp": IAT + 86400})
    assert await is_good(house, token)
    await revoke_all(house, user)
    assert not await is_good(house, token)


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


@anyio
@pytest.mark.asvs("7.4.3")
@pytest.mark.parametrize("ahead", [timedelta(seconds=30), timedelta(minutes=10), timedelta(minutes=-10)])
async def test_what_ends_all_of_a_user_does_so_whatever_the_clocks_of_two_machines_say(house: House, ahead: timedelta):
    user, other = await house.add_user(), house.now + ahead

    async def issue_there(moment: datetime) -> str:
        return await house.records.write(lambda tx: house.access_tokens.issue(tx, user, moment))

    async def is_good_there(token: str) -> bool:
        verified = house.access_tokens.verify(token, other + timedelta(seconds=30))
        return await house.records.look(house.access_tokens.find_users, verified) is not None

    before = await issue_there(other)
    await revoke_all(house, user, house.now + timedelta(seconds=10))
    after = await issue_there(other + timedelta(seconds=20))
    assert [await is_good_there(token) for token in (before, after)] == [False, True]


@anyio
async def test_of_a_token_that_says_no_epoch_the_moment_of_its_issue_counts(house: House):
    user = await house.add_user()
    claims = {"user_id": user.id, "domain": "admin", "exp": IAT + 86400}
    await revoke_all(house, user, house.now + timedelta(seconds=10))
    tokens = [signed(claims | {"iat": IAT + seconds}) for seconds in (10, 11)]
    assert [await is_good(house, token) for token in tokens] == [False, True]


@pytest.mark.parametrize("epoch", ["0", None, True, [0], {}, 1e300])
def test_an_epoch_is_a_moment(epoch: object):
    with pytest.raises(AuthenticationError):
        TOKENS.verify(signed(GOOD | {"epoch": epoch}), NOW)
