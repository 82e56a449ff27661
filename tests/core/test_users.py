"""Administrators: one address, one living user; what a new password and a deletion end."""

from __future__ import annotations

import re
from datetime import timedelta

import anyio
import pytest
from tests.core.house import EMAIL, PASSWORD, House

from medusa_auth.core.identities import Credential
from medusa_auth.core.users import normalized_email
from medusa_auth.errors import AuthenticationError, DuplicateError, NotFoundError
from medusa_auth.model import Context, Method, Role
from medusa_auth.store.sql.records import SqlRecords

pytestmark = pytest.mark.anyio


async def _credentials(house: House) -> list[Credential]:
    """Two sessions, an access token and an API token of the one user."""
    return [Credential(Method.SESSION, await house.sign_in()), *await house.credentials()]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Admin@Example.COM", "admin@example.com"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("JOSE\u0301@EXAMPLE.COM", "jos\u00e9@example.com"),
        ("\u00c4@example.com", "\u00e4@example.com"),
        ("a+b@example.com", "a+b@example.com"),
    ],
)
async def test_an_address_is_kept_in_lower_case_and_composed(house: House, given: str, kept: str):
    assert (await house.add_user(given)).email == kept
    with pytest.raises(DuplicateError):
        await house.add_user(kept)


async def test_twins_whose_capital_has_no_composed_form_are_one_address():
    assert normalized_email("J\u030c@example.com") == normalized_email("\u01f0@example.com")


async def test_an_address_that_looks_alike_in_another_script_is_another(house: House):
    await house.add_user("admin@example.com")
    await house.add_user("\u0430dmin@example.com")


@pytest.mark.parametrize("twin", ["\uff41dmin@example.com", "ADMIN@example.com", "admin@\uff45xample.com"])
async def test_an_address_whose_letters_count_as_the_same_is_the_same(house: House, twin: str):
    await house.add_user("admin@example.com")
    with pytest.raises(DuplicateError):
        await house.add_user(twin)


async def test_an_address_belongs_to_one_living_user(house: House):
    user = await house.add_user(EMAIL)
    for twin in (EMAIL, EMAIL.upper()):
        with pytest.raises(DuplicateError):
            await house.add_user(twin)
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    again = await house.add_user(EMAIL)
    assert again.id != user.id
    assert await house.records.read(lambda tx: tx.users.get(user.id)) is None


async def test_a_user_is_made_as_told(house: House):
    made = await house.records.write(
        lambda tx: house.users.create(
            tx, email=EMAIL, password_hash=None, now=house.now, role=Role.ADMIN, first_name="A", last_name="B"
        )
    )
    assert re.fullmatch(r"usr_[0-9A-HJKMNP-TV-Z]{26}", made.id)
    assert (made.role, made.first_name, made.last_name) == (Role.ADMIN, "A", "B")
    assert made.created_at == made.updated_at == house.now
    assert await house.records.read(lambda tx: tx.users.get(made.id)) == made


async def test_a_user_is_a_member_as_medusas_are(house: House):
    assert (await house.add_user()).role is Role.MEMBER


async def test_who_is_not_there_cannot_be_found_or_deleted(house: House):
    user = await house.add_user()
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    with pytest.raises(NotFoundError):
        await house.records.read(lambda tx: house.users.find(tx, EMAIL))
    with pytest.raises(NotFoundError):
        await house.records.write(lambda tx: house.users.delete(tx, user, house.now))


@pytest.mark.asvs("15.4.2")
async def test_of_twins_that_are_made_at_once_over_two_connections_one_is(house: House):
    other = SqlRecords(house.url)
    outcomes: list[bool] = []

    async def create(records: SqlRecords, email: str) -> None:
        try:
            await records.write(lambda tx: house.users.create(tx, email=email, password_hash=None, now=house.now))
            outcomes.append(True)
        except DuplicateError:
            outcomes.append(False)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            records, email = ((house.records, EMAIL), (other, EMAIL.upper()))[number % 2]
            tasks.start_soon(create, records, email)
    other.close()
    assert sorted(outcomes) == [False] * 9 + [True]


@pytest.mark.asvs("7.4.3")
async def test_a_new_password_ends_sessions_and_access_tokens_at_once_and_api_tokens_stay(house: House):
    user, identities = await house.add_user(), house.identities()
    credentials = await _credentials(house)
    assert all([await house.is_good(identities, each) for each in credentials])
    new_hash = house.hasher.hash("another")
    await house.records.write(lambda tx: house.users.set_password(tx, user, new_hash, house.now))
    assert [await house.is_good(identities, each) for each in credentials] == [False, False, False, True]


@pytest.mark.asvs("7.4.3")
async def test_a_new_password_is_in_force_for_another_cache_over_another_connection(house: House):
    user, other = await house.add_user(), SqlRecords(house.url)
    identities = house.identities(records=other)
    credentials = (await _credentials(house))[:3]
    assert all([await house.is_good(identities, each) for each in credentials])
    await house.records.write(lambda tx: house.users.set_password(tx, user, "x", house.now))
    assert not any([await house.is_good(identities, each) for each in credentials])
    other.close()


async def test_after_a_new_password_the_old_one_fails_and_the_new_one_works(house: House):
    user, new_hash = await house.add_user(), house.hasher.hash("another")
    house.now += timedelta(minutes=1)
    await house.records.write(lambda tx: house.users.set_password(tx, user, new_hash, house.now))
    with pytest.raises(AuthenticationError):
        await house.sign_in()
    signed_in = await house.login.sign_in(EMAIL, "another", Context(), house.now)
    assert signed_in.user.updated_at == house.now


@pytest.mark.asvs("7.4.2")
async def test_a_deletion_ends_every_credential_at_once(house: House):
    user, identities = await house.add_user(), house.identities()
    credentials = await _credentials(house)
    assert all([await house.is_good(identities, each) for each in credentials])
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    assert not any([await house.is_good(identities, each) for each in credentials])
    with pytest.raises(AuthenticationError):
        await house.sign_in()


async def test_whoever_gets_the_address_of_a_deleted_user_gets_none_of_their_credentials(house: House):
    user, identities = await house.add_user(), house.identities()
    credentials = await _credentials(house)
    await house.records.write(lambda tx: house.users.delete(tx, user, house.now))
    again = await house.add_user()
    assert again.id != user.id
    assert not any([await house.is_good(identities, each) for each in credentials])
    assert (await house.login.sign_in(EMAIL, PASSWORD, Context(), house.now)).user == again


async def test_what_ends_for_one_user_stays_for_the_others(house: House):
    await house.add_user()
    other = await house.add_user("other@example.com")
    identities, credentials = house.identities(), await _credentials(house)
    await house.records.write(lambda tx: house.users.set_password(tx, other, "x", house.now))
    await house.records.write(lambda tx: house.users.delete(tx, other, house.now))
    assert all([await house.is_good(identities, each) for each in credentials])
