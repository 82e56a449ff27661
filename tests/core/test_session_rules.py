"""Sessions, API tokens and users: what the rules say beside what the server shows of them."""

import base64
from datetime import timedelta

import pytest
from tests.core.house import EMAIL, House
from tests.core.tools import SeededRandom

from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.errors import DuplicateError, NotFoundError
from medusa_auth.model import Context

pytestmark = pytest.mark.anyio


@pytest.mark.asvs("7.2.3")
async def test_a_session_id_is_192_random_bits_in_base64url_and_each_another(house: House):
    user = await house.add_user()
    random, same = SeededRandom(), SeededRandom()
    sessions = Sessions(SessionRules(timedelta(hours=10), timedelta(hours=1)), random)
    started = [await house.records.write(lambda tx: sessions.start(tx, user, Context(), house.now)) for _ in range(20)]
    assert [each for each, _ in started] == [base64.urlsafe_b64encode(same(24)).decode() for _ in range(20)]
    assert random.asked == [24] * 20
    assert len({each for each, _ in started}) == 20
    assert not any(session_id in repr(session) for session_id, session in started)


async def test_a_long_user_agent_is_cut(house: House):
    user = await house.add_user()
    context = Context("192.0.2.1", "x" * 10_000)
    _, session = await house.records.write(lambda tx: house.sessions.start(tx, user, context, house.now))
    assert session.user_agent == "x" * 256
    assert await house.records.read(lambda tx: tx.sessions.get(session.id_hash)) == session


async def test_a_replaced_session_ends_with_the_commit_that_starts_the_new_one(house: House):
    await house.add_user()
    old = await house.sign_in()
    new = await house.sign_in(replaces=old)
    assert set(await house.records.read(lambda tx: house.sessions.find_with_users(tx, [old, new]))) == {new}


async def test_an_api_token_expires_when_it_says(house: House):
    user = await house.add_user()
    life = timedelta(days=1)
    token, record = await house.records.write(lambda tx: house.api_tokens.issue(tx, user, "job", house.now, life))
    assert token.startswith("mat_")
    assert len(token) == 4 + 43
    assert token not in repr(record)
    assert await house.records.look(house.api_tokens.find_with_users, token) == (record, user)
    assert not house.api_tokens.has_expired(record, house.now + life - timedelta(seconds=1))
    assert house.api_tokens.has_expired(record, house.now + life)


async def test_an_address_belongs_to_one_living_user(house: House):
    user = await house.add_user(EMAIL)
    for twin in (EMAIL, EMAIL.upper()):
        with pytest.raises(DuplicateError):
            await house.add_user(twin)
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    again = await house.add_user(EMAIL)
    assert again.id != user.id
    assert await house.records.read(lambda tx: tx.users.get(user.id)) is None


async def test_who_is_not_there_cannot_be_found_or_deleted(house: House):
    user = await house.add_user()
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    with pytest.raises(NotFoundError):
        await house.records.read(lambda tx: house.users.find(tx, EMAIL))
    with pytest.raises(NotFoundError):
        await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
