"""Sessions that another program keeps in the same Redis, which writes back what has ended and tells nobody."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from redis import Redis, RedisCluster
from tests.databases import DatabasePool
from tests.services.process import free_port
from tests.store.conftest import LIFE

from medusa_auth.core.ids import secret_hash
from medusa_auth.errors import UnavailableError
from medusa_auth.model import Role, Session, User
from medusa_auth.server.express_sessions import ExpressSessions
from medusa_auth.store.base import Changes, Records, Transaction
from medusa_auth.store.hearing import MAX_NAMES
from medusa_auth.store.opening import Sharing, Stores
from medusa_auth.store.redis import session_search, shared_keys, shared_sessions
from medusa_auth.store.redis.client import RedisClient
from medusa_auth.store.redis.servers import servers_of
from medusa_auth.store.redis.shared_watch import SharedWatch
from medusa_auth.store.sql.shared import announce_changes

pytestmark = pytest.mark.anyio

SESSIONS = ExpressSessions(LIFE, secure=False, same_site="lax")
PATIENCE = 10.0


@dataclass
class Shared:
    records: Records
    listen: Callable[[], Changes]
    redis: Redis | RedisCluster
    database_url: str
    redis_url: str
    prefix: str

    def write_as_medusa(self, user_id: str | None, session_id: str = "") -> str:
        """The id of a session that Medusa has just written."""
        session_id = session_id or secrets.token_urlsafe(24)
        text = SESSIONS.encode(user_id, {}, datetime.now(UTC) + LIFE)
        self.redis.set(self.key(session_id), text, ex=36000)
        return session_id

    def key(self, session_id: str) -> str:
        return f"{self.prefix}sess:{session_id}"

    def change(self, user: User, changes: str) -> None:
        """As Medusa: what it says to the database is all that there is."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(f'UPDATE "user" SET {changes} WHERE id = %s'.encode(), [user.id])

    def is_there(self, *session_ids: str) -> list[bool]:
        return [bool(self.redis.exists(self.key(each))) for each in session_ids]


@pytest.fixture(params=["new_redis", "new_sentinels", "new_cluster"])
def shared(request: pytest.FixtureRequest, shared_postgresql_pool: DatabasePool) -> Iterator[Shared]:
    url, (redis_url, prefix) = shared_postgresql_pool.take(request), request.getfixturevalue(request.param)()
    announce_changes(url)
    stores = Stores(url, redis_url, prefix, Sharing(SESSIONS, LIFE))
    with ExitStack() as stack:
        stack.callback(stores.close)

        def listen() -> Changes:
            changes = stores.listen()
            stack.callback(changes.close)
            return changes

        client = stack.enter_context(servers_of(redis_url).client())
        yield Shared(stores.records, listen, client, url, redis_url, prefix)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it is not so"
        time.sleep(0.01)


async def user(shared: Shared) -> User:
    now = datetime.now(UTC)
    made = User(f"usr_{secrets.token_hex(8)}", f"{secrets.token_hex(8)}@example.com", Role.ADMIN, now, now)
    await shared.records.write(lambda tx: tx.users.add(made, "a hash"))
    return made


async def find(shared: Shared, session_id: str) -> Session | None:
    found = await shared.records.read(lambda tx: tx.sessions.find_with_users({session_id: secret_hash(session_id)}))
    return found[session_id][0] if found else None


async def begin(shared: Shared, of: User, began: datetime) -> str:
    """A session that we made."""
    session_id = secrets.token_urlsafe(24)
    session = Session(secret_hash(session_id), of.id, began, began, began + LIFE)
    await shared.records.write(lambda tx: tx.sessions.add(session, session_id))
    return session_id


async def test_a_session_of_the_other_programs_is_one_of_its_user_and_lives_no_longer_than_ours(shared: Shared):
    ada = await user(shared)
    found = await find(shared, shared.write_as_medusa(ada.id))
    assert found
    assert found.user_id == ada.id
    assert abs(found.expires_at - LIFE - datetime.now(UTC)) < timedelta(seconds=5)


async def test_an_id_that_has_ended_is_dead_whatever_is_written_under_it(shared: Shared):
    ada = await user(shared)
    session_id = shared.write_as_medusa(ada.id)
    assert await find(shared, session_id)
    await shared.records.write(lambda tx: tx.sessions.delete(secret_hash(session_id), session_id))
    shared.write_as_medusa(ada.id, session_id)
    assert await find(shared, session_id) is None


async def test_what_is_written_back_after_its_end_is_deleted_by_whoever_listens(shared: Shared):
    ada = await user(shared)
    session_id = shared.write_as_medusa(ada.id)
    await shared.records.write(lambda tx: tx.sessions.delete(secret_hash(session_id), session_id))
    shared.listen()
    for _ in range(5):
        shared.write_as_medusa(ada.id, session_id)
        until(lambda: shared.is_there(session_id) == [False])


async def test_what_came_back_while_nobody_listened_is_deleted_by_who_begins_to(shared: Shared):
    ada = await user(shared)
    ended, living = shared.write_as_medusa(ada.id), shared.write_as_medusa(ada.id)
    await shared.records.write(lambda tx: tx.sessions.delete(secret_hash(ended), ended))
    shared.write_as_medusa(ada.id, ended)
    shared.listen()
    until(lambda: shared.is_there(ended, living) == [False, True])


async def test_what_the_other_program_deletes_has_ended(shared: Shared):
    ada = await user(shared)
    shared.listen()
    session_id = shared.write_as_medusa(ada.id)
    assert await find(shared, session_id)
    shared.redis.delete(shared.key(session_id))
    until(lambda: bool(shared.redis.zcard(f"{shared.prefix}medusa-auth:ended")))
    shared.write_as_medusa(ada.id, session_id)
    assert await find(shared, session_id) is None
    until(lambda: shared.is_there(session_id) == [False])


async def test_what_ended_long_ago_is_forgotten_also_if_nobody_signs_in_here(shared: Shared):
    ada, ended = await user(shared), f"{shared.prefix}medusa-auth:ended"
    shared.redis.zadd(ended, {"long ago": time.time() - 1, "lately": time.time() + 60})
    shared.listen()
    session_id = shared.write_as_medusa(ada.id)
    shared.redis.delete(shared.key(session_id))
    until(lambda: shared.redis.zscore(ended, secret_hash(session_id)) is not None)
    assert [shared.redis.zscore(ended, name) is None for name in ("long ago", "lately")] == [True, False]


@pytest.mark.parametrize("events", ["", "Ex"])
@pytest.mark.parametrize("shared", ["new_redis"], indirect=True)
async def test_what_is_deleted_is_heard_again_after_somebody_has_set_other_events(shared: Shared, events: str):
    ada, name = await user(shared), "notify-keyspace-events"

    def present() -> set[str]:
        return set(shared.redis.config_get(name)[name] or "")

    shared.listen()
    until(lambda: present() >= {"K", "g"})
    shared.redis.config_set(name, events)
    until(lambda: present() >= {"K", "g", *events})
    shared.redis.delete(shared.key(shared.write_as_medusa(ada.id)))
    until(lambda: bool(shared.redis.zcard(f"{shared.prefix}medusa-auth:ended")))


async def test_what_could_not_be_done_when_it_was_heard_is_done_at_the_next_answer(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
):
    ada, is_away = await user(shared), threading.Event()
    signed_out, back = shared.write_as_medusa(ada.id), await begin(shared, ada, datetime.now(UTC))
    await shared.records.write(lambda tx: tx.sessions.delete(secret_hash(back), back))
    call = RedisClient.call

    def away(self: RedisClient, work: Callable[[Any], Any]) -> Any:
        if is_away.is_set() and threading.current_thread().name == "redis changes":
            raise UnavailableError
        return call(self, work)

    changes = shared.listen()
    assert changes.poll() is not None
    # Whoever begins to listen looks through all that is there.
    until(lambda: all(each.name != "ended sessions" for each in threading.enumerate()))
    monkeypatch.setattr(RedisClient, "call", away)
    is_away.set()
    shared.redis.delete(shared.key(signed_out))
    for session_id in (signed_out, back):
        shared.write_as_medusa(ada.id, session_id)
    time.sleep(changes.delay)
    assert shared.is_there(signed_out, back) == [True, True]
    is_away.clear()
    until(lambda: shared.is_there(signed_out, back) == [False, False])
    assert await find(shared, signed_out) is None


async def test_a_search_that_takes_long_goes_on_without_whoever_asked(shared: Shared, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shared_sessions, "SEARCH_SECONDS", 0)
    ada, bob = await user(shared), await user(shared)
    old = [shared.write_as_medusa(ada.id) for _ in range(3)]
    others = [shared.write_as_medusa(bob.id), shared.write_as_medusa(None)]
    await shared.records.write(lambda tx: tx.sessions.delete_of_user(ada.id))
    until(lambda: shared.is_there(*old) == [False] * 3)
    assert shared.is_there(*others) == [True, True]


async def test_a_user_who_has_thousands_of_sessions_can_be_signed_out_of_all(shared: Shared):
    ada, bob = await user(shared), await user(shared)
    text = SESSIONS.encode(ada.id, {}, datetime.now(UTC) + LIFE)
    old, other = [f"{number}-{secrets.token_hex(4)}" for number in range(5000)], shared.write_as_medusa(bob.id)
    with shared.redis.pipeline(transaction=False) as pipeline:
        for session_id in old:
            pipeline.set(shared.key(session_id), text, ex=36000)
        pipeline.execute()
    await shared.records.write(lambda tx: tx.sessions.delete_of_user(ada.id))
    until(lambda: not any(shared.is_there(old[0], old[2500], old[-1])))
    until(lambda: sum(1 for _ in shared.redis.scan_iter(shared.key("*"), count=1000)) == 1)
    assert shared.is_there(other) == [True]


@pytest.mark.parametrize("shared", ["new_redis"], indirect=True)
async def test_a_search_among_many_other_keys_holds_up_nobody_for_longer(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
):
    # So that thousands are as many as millions.
    monkeypatch.setattr(shared_keys, "BATCH", 1)
    with shared.redis.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.set(f"{shared.prefix}other:{number}", "")
        pipeline.execute()
    ada = await user(shared)
    session_id = shared.write_as_medusa(ada.id)
    search = session_search.SessionSearch(RedisClient(shared.redis_url), SESSIONS, LIFE, shared.prefix, ada.id)
    found = search.run(time.monotonic() + 0.01, 1000)
    assert not search.is_done
    search.go_on(time.time())
    until(lambda: session_id in found or shared.is_there(session_id) == [False])


@pytest.mark.parametrize("statement", ["deleted_at = now()", "password_hash = 'other', updated_at = now()"])
async def test_a_user_who_is_changed_in_the_database_is_signed_out_on_both_sides(shared: Shared, statement: str):
    ada, bob = await user(shared), await user(shared)
    shared.listen()
    ended = [shared.write_as_medusa(ada.id), await begin(shared, ada, datetime.now(UTC))]
    others = [shared.write_as_medusa(bob.id), shared.write_as_medusa(None)]
    shared.change(ada, statement)
    until(lambda: shared.is_there(*ended) == [False, False])
    assert shared.is_there(*others) == [True, True]


async def test_a_session_that_we_began_after_a_new_password_stays(shared: Shared):
    ada = await user(shared)
    shared.change(ada, "password_hash = 'other', updated_at = now()")
    after = await begin(shared, ada, datetime.now(UTC))
    before = shared.write_as_medusa(ada.id)
    shared.listen()
    # The same is told again; what began since the first time counts as begun later than that.
    since = await shared.records.read(lambda tx: tx.access_tokens.not_before(ada.id))
    assert since
    client = RedisClient(shared.redis_url)
    session_search.SessionSearch(client, SESSIONS, LIFE, shared.prefix, ada.id).go_on(since.timestamp())
    until(lambda: shared.is_there(before) == [False])
    assert shared.is_there(after) == [True]
    assert await find(shared, after)


@pytest.mark.parametrize("shared", ["new_redis"], indirect=True)
async def test_a_search_that_redis_does_not_answer_begins_anew_when_it_does(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
):
    """Else whoever was deleted in Medusa while Redis was away for a moment would stay signed in there."""
    ada, is_away, failed = await user(shared), threading.Event(), threading.Event()
    shared.listen()
    ended = [shared.write_as_medusa(ada.id) for _ in range(3)]
    call = RedisClient.call

    def away(self: RedisClient, work: Callable[[Any], Any]) -> Any:
        if is_away.is_set() and threading.current_thread().name == "session search":
            failed.set()
            raise UnavailableError
        return call(self, work)

    monkeypatch.setattr(RedisClient, "call", away)
    is_away.set()
    shared.change(ada, "deleted_at = now()")
    assert await asyncio.to_thread(failed.wait, PATIENCE)
    assert shared.is_there(*ended) == [True] * 3
    is_away.clear()
    until(lambda: shared.is_there(*ended) == [False] * 3)


@pytest.mark.parametrize("shared", ["new_redis"], indirect=True)
async def test_searches_take_turns_when_many_users_are_deleted_at_once(shared: Shared, monkeypatch: pytest.MonkeyPatch):
    shared.listen()
    ended = [shared.write_as_medusa((await user(shared)).id) for _ in range(20)]
    call, searching, seen = RedisClient.call, set[int](), list[int]()

    def noted(self: RedisClient, work: Callable[[Any], Any]) -> Any:
        if threading.current_thread().name != "session search":
            return call(self, work)
        searching.add(threading.get_ident())
        seen.append(len(searching))
        time.sleep(0.001)
        try:
            return call(self, work)
        finally:
            searching.discard(threading.get_ident())

    monkeypatch.setattr(RedisClient, "call", noted)
    with psycopg.connect(shared.database_url, autocommit=True) as connection:
        connection.execute('UPDATE "user" SET deleted_at = now()')
    until(lambda: not any(shared.is_there(*ended)))
    assert max(seen) == 1


async def test_a_better_hash_ends_nothing(shared: Shared):
    ada = await user(shared)
    changes = shared.listen()
    session_id = shared.write_as_medusa(ada.id)
    await shared.records.write(lambda tx: tx.users.set_password_hash(ada.id, "better"))
    time.sleep(changes.delay)
    assert shared.is_there(session_id) == [True]
    assert await find(shared, session_id)


async def test_a_worker_that_nobody_asks_keeps_no_endless_list(shared: Shared):
    changes = shared.listen()
    assert changes.poll() is not None
    with shared.redis.pipeline(transaction=False) as pipeline:
        for number in range(MAX_NAMES + 1):
            pipeline.set(shared.key(f"anonymous-{number}"), "{}", ex=60)
        pipeline.execute()
    time.sleep(changes.delay)
    until(lambda: changes.poll() is None)


def find_all(tx: Transaction, session_ids: Sequence[str]) -> Mapping[str, tuple[Session, User]]:
    return tx.sessions.find_with_users({session_id: secret_hash(session_id) for session_id in session_ids})


@pytest.mark.parametrize("shared", ["new_redis"], indirect=True)
async def test_a_session_that_a_full_redis_cannot_take_over_hinders_none_that_is_there(shared: Shared):
    ada = await user(shared)
    ours, theirs = await begin(shared, ada, datetime.now(UTC)), shared.write_as_medusa(ada.id)
    look = shared.records.look
    shared.redis.config_set("maxmemory", 1)
    try:
        found, refused = await asyncio.gather(
            *(look(find_all, each) for each in (ours, theirs)), return_exceptions=True
        )
    finally:
        shared.redis.config_set("maxmemory", 0)
    assert isinstance(found, tuple)
    assert found[1] == ada
    assert isinstance(refused, UnavailableError)
    assert await look(find_all, theirs)


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_what_came_back_in_a_redis_that_is_away_is_told_in_the_log(scheme: str, caplog: pytest.LogCaptureFixture):
    client = RedisClient(f"{scheme}://127.0.0.1:{free_port()}")
    SharedWatch(client, LIFE)._look_through()
    assert caplog.messages == ["sessions that have ended may have come back in Medusa"]
