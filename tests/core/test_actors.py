"""What a request may still do when its credential ends while it is under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.core.house import House

from medusa_auth.core.actors import Actors
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Context, Identity, Method, User
from medusa_auth.store.base import Transaction

pytestmark = pytest.mark.anyio

CONTEXT_ENDS: dict[str, Callable[[House, Transaction, User, Identity], object]] = {
    "the session": lambda _, tx, __, identity: tx.sessions.delete(identity.credential_id),
    "the token": lambda house, tx, user, identity: tx.access_tokens.revoke(
        identity.credential_id, user.id, house.now + timedelta(days=1)
    ),
    "the API token": lambda _, tx, __, identity: tx.api_tokens.delete(identity.credential_id),
    "the password": lambda house, tx, user, _: house.users.set_password(tx, user, "hash", house.now),
    "the user": lambda house, tx, user, _: house.users.delete(tx, user, house.now),
}


async def identity_of(house: House, user: User, method: Method) -> Identity:
    def make(tx: Transaction) -> Identity:
        if method is Method.SESSION:
            _, session = house.sessions.start(tx, user, Context(), house.now)
            return Identity(user, method, session.id_hash)
        if method is Method.API_TOKEN:
            _, token = house.api_tokens.issue(tx, user, "job", house.now)
            return Identity(user, method, token.id)
        access_token = house.access_tokens.verify(house.access_tokens.issue(tx, user, house.now), house.now)
        return Identity(user, method, access_token.id, epoch=access_token.epoch)

    return await house.records.write(make)


@pytest.mark.asvs("7.4.2")
@pytest.mark.parametrize(
    ("method", "what"),
    [
        (Method.SESSION, "the session"),
        (Method.SESSION, "the password"),
        (Method.SESSION, "the user"),
        (Method.ACCESS_TOKEN, "the token"),
        (Method.ACCESS_TOKEN, "the password"),
        (Method.ACCESS_TOKEN, "the user"),
        (Method.API_TOKEN, "the API token"),
        (Method.API_TOKEN, "the user"),
    ],
)
async def test_a_request_under_way_does_nothing_once_its_credential_has_ended(house: House, method: Method, what: str):
    user = await house.add_user("a@example.com")
    identity, actors = await identity_of(house, user, method), Actors(house.access_tokens, house.api_tokens)
    assert (await house.records.read(lambda tx: actors.get(tx, identity))).id == user.id
    await house.records.write(lambda tx: CONTEXT_ENDS[what](house, tx, user, identity))
    with pytest.raises(AuthenticationError):
        await house.records.read(lambda tx: actors.get(tx, identity))


async def test_an_access_token_of_no_epoch_ends_with_the_password(house: House):
    user = await house.add_user("a@example.com")
    identity = replace(await identity_of(house, user, Method.ACCESS_TOKEN), epoch=None)
    actors = Actors(house.access_tokens, house.api_tokens)
    await house.records.write(lambda tx: house.users.set_password(tx, user, "hash", house.now))
    with pytest.raises(AuthenticationError):
        await house.records.read(lambda tx: actors.get(tx, identity))
