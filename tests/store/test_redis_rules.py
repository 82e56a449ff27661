"""What docs/redis.md lets a user of Redis do is what is done, and no more."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.databases import DatabasePool
from tests.services.redis import RedisServer, redis_server
from tests.store.conftest import LIFE

from medusa_auth.core.ids import secret_hash
from medusa_auth.errors import UnavailableError
from medusa_auth.model import Role, Session, User
from medusa_auth.server.express_sessions import ExpressSessions
from medusa_auth.store.base import Changes
from medusa_auth.store.opening import Sharing, Stores
from medusa_auth.store.sql.shared import announce_changes

pytestmark = pytest.mark.anyio

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "redis.md").read_text("utf-8")
OWN, SHARED = (
    match.split() for match in re.findall(r"^ACL SETUSER auth on >password ((?:.+\n)+?)```", TEXT, re.MULTILINE)
)
# Named in the text: it can be left out, and then events have to be on.
OF_EVENTS = ["+config|get", "+config|set"]
SESSIONS = ExpressSessions(LIFE, secure=False, same_site="lax")
# The document's are for database 0.
DATABASE = 1
PATIENCE = 10.0


@dataclass
class House:
    """What a user with `rules` and a Medusa have of one database of a Redis."""

    server: RedisServer
    medusas: redis.Redis
    stores: Stores
    changes: Changes
    prefix: str
    rules: Sequence[str]
    heard: set[str] = field(default_factory=set)

    def write_as_medusa(self, user_id: str, session_id: str = "") -> str:
        session_id = session_id or secrets.token_urlsafe(24)
        text = SESSIONS.encode(user_id, {}, datetime.now(UTC) + LIFE)
        self.medusas.set(f"{self.prefix}sess:{session_id}", text, ex=36000)
        return session_id

    def is_there(self, session_id: str) -> bool:
        return bool(self.medusas.exists(f"{self.prefix}sess:{session_id}"))

    async def begin(self, user: User) -> str:
        now, session_id = datetime.now(UTC), secrets.token_urlsafe(24)
        session = Session(secret_hash(session_id), user.id, now, now, now + LIFE)
        await self.stores.records.write(lambda tx: tx.sessions.add(session, session_id))
        return session_id

    async def is_found(self, session_id: str) -> bool:
        hashes = {session_id: secret_hash(session_id)}
        return bool(await self.stores.records.read(lambda tx: tx.sessions.find_with_users(hashes)))

    async def end(self, session_id: str) -> None:
        await self.stores.records.write(lambda tx: tx.sessions.delete(secret_hash(session_id), session_id))

    def has_heard_of(self, session_id: str) -> bool:
        """Also if anything may have been missed. Raises UnavailableError while it does not hear."""
        names = self.changes.poll()
        self.heard.update(names or ())
        return names is None or secret_hash(session_id) in self.heard

    def refused(self) -> set[str]:
        """What the user asked for and may not do, but for redis-py's own name, without which it goes on."""
        log: list[dict[str, Any]] = self.server.say("ACL LOG")
        return {entry["object"] for entry in log} - {"client|setinfo"}

    def unused(self) -> set[str]:
        used = {name.removeprefix("cmdstat_") for name in self.server.say("INFO", "commandstats")}
        return {rule[1:] for rule in self.rules if rule.startswith("+")} - used


Open = Callable[..., House]


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    with ExitStack() as stack:

        def opened(rules: Sequence[str], *, shared: bool, prefix: str = "") -> House:
            pool = request.getfixturevalue("shared_postgresql_pool" if shared else "postgresql_pool")
            assert isinstance(pool, DatabasePool)
            url, server, password = pool.take(request), stack.enter_context(redis_server()), secrets.token_hex(8)
            server.say("ACL", "SETUSER", "auth", "on", f">{password}", *rules)
            sharing = None
            if shared:
                announce_changes(url)
                sharing = Sharing(SESSIONS, LIFE)
            stores = Stores(url, f"redis://auth:{password}@127.0.0.1:{server.port}/{DATABASE}", prefix, sharing)
            stack.callback(stores.close)
            changes = stores.listen()
            stack.callback(changes.close)
            medusas = stack.enter_context(redis.from_url(f"{server.url}/{DATABASE}"))
            return House(server, medusas, stores, changes, prefix, rules)

        yield opened


async def user(house: House) -> User:
    now = datetime.now(UTC)
    made = User(f"usr_{secrets.token_hex(8)}", f"{secrets.token_hex(8)}@example.com", Role.ADMIN, now, now)
    await house.stores.records.write(lambda tx: tx.users.add(made, "a hash"))
    return made


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(UnavailableError):
            if is_so():
                return
        await asyncio.sleep(0.01)
    raise AssertionError("it is not so")


async def lives(house: House) -> None:
    """All that is asked of sessions."""
    ada, records = await user(house), house.stores.records
    first, second = [await house.begin(ada) for _ in range(2)]
    await until(lambda: house.has_heard_of(second))
    assert [await house.is_found(each) for each in (first, second)] == [True, True]
    later = datetime.now(UTC) + timedelta(minutes=1)
    await records.write(lambda tx: tx.sessions.touch(secret_hash(first), later))
    await records.write(lambda tx: tx.sessions.check_writable())
    house.heard.clear()
    await house.end(first)
    await until(lambda: house.has_heard_of(first))
    assert [await house.is_found(each) for each in (first, second)] == [False, True]
    assert await records.write(lambda tx: tx.sessions.delete_of_user(ada.id)) == 1
    assert not await house.is_found(second)
    await records.write(lambda tx: tx.sessions.delete_expired(datetime.now(UTC)))


async def lives_beside_medusa(house: House) -> None:
    """As `lives`, with what Medusa does to sessions."""
    ada, records = await user(house), house.stores.records
    theirs, others = [house.write_as_medusa(ada.id) for _ in range(2)]
    assert [await house.is_found(each) for each in (theirs, others)] == [True, True]
    # It ends here, and Medusa writes it back.
    await house.end(theirs)
    house.write_as_medusa(ada.id, theirs)
    await until(lambda: not house.is_there(theirs))
    # It ends there, and a request in flight writes it back.
    house.medusas.delete(f"{house.prefix}sess:{others}")
    await until(lambda: house.medusas.zscore(f"{house.prefix}medusa-auth:ended", secret_hash(others)) is not None)
    house.write_as_medusa(ada.id, others)
    await until(lambda: not house.is_there(others))
    house.write_as_medusa(ada.id)
    assert await records.write(lambda tx: tx.sessions.delete_of_user(ada.id)) == 1


async def test_a_user_with_the_rules_may_do_all_that_is_needed_and_no_more(opened: Open):
    house = opened(OWN, shared=False)
    await lives(house)
    assert (house.refused(), house.unused()) == (set(), set())


@pytest.mark.parametrize("prefix", ["", "my-store:"])
async def test_so_may_one_with_the_rules_of_shared_mode(opened: Open, prefix: str, caplog: pytest.LogCaptureFixture):
    house = opened(named(SHARED, prefix), shared=True, prefix=prefix)
    await lives(house)
    await lives_beside_medusa(house)
    assert (house.refused(), house.unused()) == (set(), set())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_without_the_right_to_configure_redis_all_goes_on_if_events_are_on(
    opened: Open, caplog: pytest.LogCaptureFixture
):
    assert all(f"`{rule}`" in TEXT for rule in OF_EVENTS)
    house = opened([*named(SHARED, ""), "-config"], shared=True)
    house.server.say("CONFIG SET", "notify-keyspace-events", "Kg")
    await lives(house)
    await lives_beside_medusa(house)
    assert house.refused() == {"config|get"}
    assert "Redis does not let us see whether its keyspace events are on" in caplog.text


def named(rules: Sequence[str], prefix: str) -> Sequence[str]:
    """As the document says: with the prefix before each key and in the channel, and the database's number."""
    escaped = prefix.replace("-", "\\-")
    return [
        rule.replace("~", f"~{prefix}", 1)
        if rule.startswith("~")
        else rule.replace("@0__:", f"@{DATABASE}__:{escaped}")
        for rule in rules
    ]
