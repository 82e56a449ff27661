"""A commit that the database undoes after Redis was written to: the transaction is done again, and says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from redis import Redis
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tests.databases import DatabasePool
from tests.store.conftest import LIFE

from medusa_auth.core.ids import secret_hash
from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.model import Context, Role, User
from medusa_auth.server.express_sessions import ExpressSessions
from medusa_auth.store.base import Transaction
from medusa_auth.store.opening import Sharing, Stores

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
ADA = User("usr_1", "ada@example.com", Role.ADMIN, NOW, NOW)
SESSIONS = Sessions(SessionRules(LIFE, timedelta(hours=1)))
OTHERS = {"customer_id": "cus_1"}


@pytest.fixture(params=["own", "shared"])
def sharing(request: pytest.FixtureRequest) -> Sharing | None:
    return None if request.param == "own" else Sharing(ExpressSessions(LIFE, secure=False, same_site="lax"), LIFE)


@pytest.fixture
def redis(new_redis: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    return new_redis()


@pytest.fixture
def stores(
    request: pytest.FixtureRequest, postgresql_pool: DatabasePool, redis: tuple[str, str], sharing: Sharing | None
) -> Iterator[Stores]:
    stores = Stores(postgresql_pool.take(request), *redis, sharing)
    yield stores
    stores.close()


@contextmanager
def the_next_commit_undone(stores: Stores) -> Iterator[None]:
    """As PostgreSQL does when another transaction was in the way."""
    undone: list[bool] = []

    def undo(connection: Any) -> None:
        if not undone:
            undone.append(True)
            connection.connection.rollback()
            raise OperationalError("COMMIT", {}, psycopg.errors.SerializationFailure("could not serialize access"))

    engine = stores.records._database.engine
    event.listen(engine, "commit", undo)
    try:
        yield
    finally:
        event.remove(engine, "commit", undo)
    assert undone


@contextmanager
def redis_as_it_was_before(redis: tuple[str, str]) -> Iterator[None]:
    """At the end it has again what it had at the beginning: a replica that lagged behind has become the primary."""
    url, prefix = redis
    with Redis.from_url(url) as client:
        before = {key: client.dump(key) for key in client.scan_iter(match=f"{prefix}*")}
        yield
        for key in list(client.scan_iter(match=f"{prefix}*")):
            client.delete(key)
        for key, value in before.items():
            client.restore(key, 0, value)


async def begin(stores: Stores) -> str:
    def make(tx: Transaction) -> str:
        return SESSIONS.start(tx, ADA, Context(), NOW, OTHERS)[0]

    return await stores.records.write(make)


async def is_good(stores: Stores, session_id: str) -> bool:
    return await stores.records.look(SESSIONS.find_with_users, session_id) is not None


ENDS: dict[str, Callable[[Transaction, str], object]] = {
    "by its id": lambda tx, session_id: SESSIONS.end(tx, session_id, NOW),
    "by its hash": lambda tx, session_id: tx.sessions.delete(secret_hash(session_id)),
    "with all of its user": lambda tx, _: tx.sessions.delete_of_user(ADA.id),
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_session_whose_end_was_undone_has_ended_and_stays_so(stores: Stores, redis: tuple[str, str], how: str):
    await stores.records.write(lambda tx: tx.users.add(ADA, "hash"))
    session_id = await begin(stores)
    told = await stores.records.write(lambda tx: ENDS[how](tx, session_id))
    session_id = await begin(stores)
    assert await is_good(stores, session_id)
    with redis_as_it_was_before(redis):
        with the_next_commit_undone(stores):
            assert await stores.records.write(lambda tx: ENDS[how](tx, session_id)) == told
        assert not await is_good(stores, session_id)
    assert not await is_good(stores, session_id)


async def test_what_is_undone_for_good_has_ended_nothing_in_the_database(stores: Stores):
    await stores.records.write(lambda tx: tx.users.add(ADA, "hash"))
    session_id = await begin(stores)

    def fail(tx: Transaction) -> None:
        SESSIONS.end(tx, session_id, NOW)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        await stores.records.write(fail)
    assert await is_good(stores, session_id)
