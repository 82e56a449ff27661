"""API tokens: what is kept of them, how long they live, and how they end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from tests.core.house import House
from tests.core.tools import SeededRandom, bytes_at_rest

from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.identities import Credential, Identities
from medusa_auth.core.ids import secret_hash
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import ApiToken, Identity, Method, User

pytestmark = pytest.mark.anyio

TICK = timedelta(microseconds=1)


async def _issue(house: House, user: User, life: timedelta | None = None) -> tuple[str, ApiToken]:
    return await house.records.write(lambda tx: house.api_tokens.issue(tx, user, "job", house.now, life))


async def _find(house: House, token: str) -> ApiToken:
    found = await house.records.look(house.api_tokens.find_with_users, token)
    if found is None or house.api_tokens.has_expired(found[0], house.now):
        raise AuthenticationError
    return found[0]


async def _check(house: House, identities: Identities, token: str) -> Identity:
    return await identities.check(Credential(Method.API_TOKEN, token), house.now)


@pytest.mark.asvs("11.5.1")
async def test_a_token_is_its_prefix_and_256_random_bits(house: House):
    user, random = await house.add_user(), SeededRandom()
    tokens = ApiTokens(random)
    token, record = await house.records.write(lambda tx: tokens.issue(tx, user, "job", house.now))
    assert re.fullmatch(r"mat_[A-Za-z0-9_-]{43}", token)
    assert re.fullmatch(r"tok_[0-9A-HJKMNP-TV-Z]{26}", record.id)
    assert random.asked[0] == 32
    assert token not in repr(record)


async def test_only_the_hash_of_a_token_reaches_the_disk(house: House):
    user = await house.add_user()
    token, _ = await _issue(house, user)
    stored = bytes_at_rest(house.folder / "test.db")
    assert secret_hash(token).encode() in stored
    assert token.removeprefix("mat_").encode() not in stored


async def test_a_token_without_an_end_is_good_in_ten_years(house: House):
    user = await house.add_user()
    token, record = await _issue(house, user)
    house.now += timedelta(days=3650)
    assert await _find(house, token) == record
    assert (await _check(house, house.identities(), token)).user == user


async def test_a_token_expires_when_it_says(house: House):
    user, life = await house.add_user(), timedelta(days=1)
    token, record = await _issue(house, user, life)
    assert await house.records.look(house.api_tokens.find_with_users, token) == (record, user)
    assert not house.api_tokens.has_expired(record, house.now + life - TICK)
    assert house.api_tokens.has_expired(record, house.now + life)


@pytest.mark.parametrize(("after", "good"), [(timedelta(days=1) - TICK, True), (timedelta(days=1), False)])
async def test_a_token_that_is_remembered_ends_at_the_moment_that_it_says(house: House, after: timedelta, good: bool):
    user, identities = await house.add_user(), house.identities()
    token, _ = await _issue(house, user, timedelta(days=1))
    await _check(house, identities, token)
    house.now += after
    if good:
        assert (await _check(house, identities, token)).user == user
    else:
        with pytest.raises(AuthenticationError):
            await _check(house, identities, token)


async def test_a_revoked_token_is_refused_by_those_who_remember_it(house: House):
    user, identities = await house.add_user(), house.identities()
    (token, record), (other, _) = await _issue(house, user), await _issue(house, user)
    for each in (token, other):
        await _check(house, identities, each)
    assert await house.records.write(lambda tx: house.api_tokens.revoke(tx, record.id, house.now))
    with pytest.raises(AuthenticationError):
        await _check(house, identities, token)
    await _check(house, identities, other)


async def test_revoking_what_is_not_there_says_so_and_forgets_nobody(house: House):
    assert not await house.records.write(lambda tx: house.api_tokens.revoke(tx, "tok_0", house.now))
    assert not house.changes.poll()


async def test_the_last_use_is_written_at_most_once_a_minute_and_never_back(house: House):
    user, identities = await house.add_user(), house.identities(capacity=0)
    token, _ = await _issue(house, user)
    started, used = house.now, []
    for seconds in (5, 64, 65, 30):
        house.now = started + timedelta(seconds=seconds)
        await _check(house, identities, token)
        last = (await _find(house, token)).last_used_at
        assert last is not None
        used.append((last - started).total_seconds())
    assert used == [5, 5, 65, 65]


@pytest.mark.asvs("7.4.2")
async def test_a_token_ends_with_its_user(house: House):
    user, identities = await house.add_user(), house.identities()
    token, _ = await _issue(house, user)
    await _check(house, identities, token)
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    with pytest.raises(AuthenticationError):
        await _check(house, identities, token)
    assert await house.records.read(lambda tx: tx.api_tokens.list()) == []


async def test_a_token_is_taken_exactly_as_it_was_given(house: House):
    user = await house.add_user()
    token, record = await _issue(house, user)
    for wrong in ("", token.upper(), token + " ", " " + token, token.removeprefix("mat_"), record.id, token[:-1]):
        with pytest.raises(AuthenticationError):
            await _find(house, wrong)


async def test_a_token_is_a_credential_of_its_own_and_no_factor_of_the_user(house: House):
    user = await house.add_user()
    token, record = await _issue(house, user)
    identity = await _check(house, house.identities(), token)
    assert (identity.method, identity.credential_id, identity.factors) == (Method.API_TOKEN, record.id, ())
