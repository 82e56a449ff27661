"""Sessions in every kind of Redis that a URL may name."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import anyio
import psycopg
import pytest
from redis import Redis
from redis import RedisCluster as ClusterClient
from tests.services.certificates import certificates
from tests.services.process import free_port
from tests.services.redis import redis_server, valkey_program
from tests.services.redis_groups import DOWN_AFTER, RedisCluster, redis_cluster, watched_redis
from tests.store.conftest import LIFE

from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.users import Users
from medusa_auth.errors import SettingsError, UnavailableError
from medusa_auth.model import Role, Session, User
from medusa_auth.store.base import Changes, Transaction
from medusa_auth.store.opening import Stores

pytestmark = pytest.mark.anyio

# docs/redis.md names these.
RULES = (
    "~medusa-auth:* +get +set +del +zadd +zrem +zrange +zremrangebyscore +pexpire +eval "
    "+ping +hello +role +client|tracking +client|setname"
)
PASSWORD, ENCODED = "p:/?#@%word", "p%3A%2F%3F%23%40%25word"
GOES_ON_WITHIN = 5.0 + DOWN_AFTER / 1000
HEARD_WITHIN = 1.0

_numbers = count()


@dataclass
class Machine:
    """What one process has of the stores; `url` is Redis's."""

    database: str
    url: str
    stores: Stores = field(init=False)
    changes: Changes = field(init=False)

    def __post_init__(self) -> None:
        self.stores = Stores(self.database, self.url)
        self.changes = self.stores.listen()

    async def add(self, user_id: str = "usr_1") -> Session:
        now = datetime.now(UTC)
        session = Session(f"hash_{next(_numbers)}", user_id, now, now, now + timedelta(hours=1), None, None)
        await self.stores.records.write(lambda tx: tx.sessions.add(session, "id"))
        return session

    async def find(self, session: Session) -> Session | None:
        return await self.stores.records.read(lambda tx: tx.sessions.get(session.id_hash))

    async def end(self, session: Session) -> None:
        await self.stores.records.write(lambda tx: tx.sessions.delete(session.id_hash))

    async def heard(self, session: Session) -> float:
        """Polls until it is told, or that anything may have been missed; the seconds that it took."""
        started = time.monotonic()
        while time.monotonic() < started + 10:
            with suppress(UnavailableError):
                names = self.changes.poll()
                if names is None or session.id_hash in names:
                    return time.monotonic() - started
            await asyncio.sleep(0.01)
        raise AssertionError

    async def quiet(self) -> None:
        """Polls until it hears, and nothing is new."""
        await within(10, self._hears_nothing)

    async def _hears_nothing(self) -> bool:
        await asyncio.sleep(0.05)
        with suppress(UnavailableError):
            return self.changes.poll() == set()
        return False

    def close(self) -> None:
        self.changes.close()
        self.stores.close()


async def within(patience: float, so: Callable[[], object]) -> float:
    """Asks until it is so, whatever may be away meanwhile; the seconds that it took."""
    started = time.monotonic()
    while time.monotonic() < started + patience:
        with suppress(UnavailableError):
            result = so()
            if await result if asyncio.iscoroutine(result) else result:
                return time.monotonic() - started
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {patience} s")


@asynccontextmanager
async def two_machines(database: str, url: str) -> AsyncIterator[tuple[Machine, Machine]]:
    with ExitStack() as stack:
        machines = []
        for _ in range(2):
            machine = Machine(database, url)
            stack.callback(machine.close)
            machines.append(machine)
        yield machines[0], machines[1]


@contextmanager
def with_password() -> Iterator[str]:
    with redis_server("--requirepass", PASSWORD) as server:
        yield f"redis://:{ENCODED}@127.0.0.1:{server.port}/3"


@contextmanager
def with_user() -> Iterator[str]:
    with redis_server() as server:
        server.say("ACL", "SETUSER", "auth", "on", f">{PASSWORD}", *RULES.split())
        server.say("ACL", "SETUSER", "default", "off")
        yield f"redis://auth:{ENCODED}@127.0.0.1:{server.port}"


@contextmanager
def over_a_socket() -> Iterator[str]:
    with redis_server() as server:
        yield f"unix://{server.socket}?db=2"


@contextmanager
def of_valkey() -> Iterator[str]:
    with redis_server("--requirepass", PASSWORD, executable=valkey_program()) as server:
        yield f"redis://:{ENCODED}@127.0.0.1:{server.port}"


URLS = {"password": with_password, "ACL user": with_user, "unix socket": over_a_socket, "Valkey": of_valkey}


@pytest.mark.parametrize("kind", URLS)
async def test_a_session_is_kept_found_and_ended(new_postgresql: Callable[[], str], kind: str):
    with URLS[kind]() as url:
        await check(new_postgresql(), url)


async def check(database: str, url: str) -> None:
    async with two_machines(database, url) as (one, other):
        session = await one.add()
        assert await other.find(session) == session
        later = session.last_seen_at + timedelta(minutes=2)
        await other.stores.records.write(lambda tx: tx.sessions.touch(session.id_hash, later))
        found = await one.find(session)
        assert found is not None
        assert found.last_seen_at == later
        await other.quiet()
        await one.end(session)
        assert await other.heard(session) < HEARD_WITHIN
        assert await other.find(session) is None
        await one.add()
        assert await one.stores.records.write(lambda tx: tx.sessions.delete_of_user("usr_1")) == 1
        await one.stores.records.read(lambda tx: tx.sessions.check_writable())
        for each in one.stores.named.values():
            await each.ping()


async def test_over_tls_it_is_the_one_whose_certificate_is_trusted(
    new_postgresql: Callable[[], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    wrong = certificates(tmp_path / "wrong").authority
    database = new_postgresql()
    with redis_tls(tmp_path / "right") as (port, right):
        await check(database, f"rediss://127.0.0.1:{port}?ssl_ca_certs={right}")
        for url in (f"rediss://127.0.0.1:{port}?ssl_ca_certs={wrong}", f"rediss://127.0.0.1:{port}"):
            caplog.clear()
            with closing(Stores(database, url)) as stores, pytest.raises(UnavailableError, match="Sessions cannot be"):
                await stores.records.read(lambda tx: tx.sessions.get("hash_1"))
            assert "Redis cannot be used: TLS fails" in caplog.text


@contextmanager
def redis_tls(folder: Path) -> Iterator[tuple[int, Path]]:
    """The port on which it speaks TLS, and whom to trust."""
    made = certificates(folder)
    files = ("--tls-cert-file", str(made.server), "--tls-key-file", str(made.key), "--tls-auth-clients", "no")
    with redis_server(*files) as server:
        port = free_port()
        server.say("CONFIG", "SET", "tls-port", port)
        yield port, made.authority


async def test_a_wrong_password_is_told_to_the_operator_and_not_shown(
    new_postgresql: Callable[[], str], caplog: pytest.LogCaptureFixture
):
    database = new_postgresql()
    with redis_server("--requirepass", PASSWORD) as server:
        for login in ("", ":another-secret@", "somebody:another-secret@"):
            caplog.clear()
            with closing(Stores(database, f"redis://{login}127.0.0.1:{server.port}")) as stores:
                for _ in range(20):
                    with pytest.raises(UnavailableError):
                        await stores.records.read(lambda tx: tx.sessions.get("hash_1"))
            lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
            assert lines == ["Redis cannot be used: it refuses the user or the password in REDIS_URL"]


async def test_a_number_that_redis_has_no_database_for_is_told_to_the_operator(
    new_postgresql: Callable[[], str], caplog: pytest.LogCaptureFixture
):
    with (
        redis_server() as server,
        closing(Stores(new_postgresql(), f"redis://127.0.0.1:{server.port}/99")) as stores,
        pytest.raises(UnavailableError),
    ):
        await stores.records.read(lambda tx: tx.sessions.get("hash_1"))
    assert caplog.messages == ["Redis cannot be used: it has no database with the number at the end of REDIS_URL"]


async def test_a_user_who_may_not_listen_is_told_of_and_costs_only_the_cache(
    new_postgresql: Callable[[], str], caplog: pytest.LogCaptureFixture
):
    with redis_server() as server:
        rules = RULES.replace("+client|tracking", "").split()
        server.say("ACL", "SETUSER", "auth", "on", f">{PASSWORD}", *rules)
        machine = Machine(new_postgresql(), f"redis://auth:{ENCODED}@127.0.0.1:{server.port}")
        session = await machine.add()
        assert await machine.find(session) == session
        with pytest.raises(UnavailableError):
            machine.changes.poll()
        machine.close()
    assert "its user may not do what is needed" in caplog.text


async def test_a_user_with_a_thousand_sessions_loses_them_in_one_transaction(
    new_postgresql: Callable[[], str], new_redis: Callable[[], tuple[str, str]]
):
    now = datetime.now(UTC)
    many = [Session(f"many_{n}", "usr_1", now, now, now + timedelta(hours=1), None, None) for n in range(1000)]

    def add(tx: Transaction) -> None:
        for session in many[:100]:
            tx.sessions.add(session, "id")
        del many[:100]

    with closing(Stores(new_postgresql(), *new_redis())) as stores:
        while many:
            await stores.records.write(add)
        assert await stores.records.write(lambda tx: tx.sessions.delete_of_user("usr_1")) == 1000
        assert await stores.records.write(lambda tx: tx.sessions.delete_of_user("usr_1")) == 0


@pytest.mark.parametrize("damaged", [b"", b"\xff", b'"client":"\xff"', b"no zone", b'{"a":' * 5000])
async def test_a_damaged_session_is_none_and_in_nobodys_way(
    new_postgresql: Callable[[], str], new_redis: Callable[[], tuple[str, str]], damaged: bytes
):
    now = datetime.now(UTC)
    good = Session("good", "usr_1", now, now, now + LIFE)
    bad = replace(good, id_hash="bad")
    url, prefix = new_redis()
    with closing(Stores(new_postgresql(), url, prefix)) as stores, Redis.from_url(url) as client:
        for session in (good, bad):
            await stores.records.write(partial(_add, session))
        key = f"{prefix}medusa-auth:session:bad"
        whole = client.get(key)
        assert whole
        texts = {b'"client":"\xff"': whole.replace(b'"client":null', damaged), b"no zone": whole.replace(b"Z", b"")}
        client.set(key, texts.get(damaged, damaged))
        assert await stores.records.read(lambda tx: [tx.sessions.get(each) for each in ("bad", "good")]) == [None, good]
        assert await stores.records.write(lambda tx: tx.sessions.delete_of_user("usr_1")) == 1


def _add(session: Session, tx: Transaction) -> None:
    tx.sessions.add(session, session.id_hash)


async def test_however_many_sessions_a_user_has_a_new_password_ends_them_all_in_its_time(
    new_postgresql: Callable[[], str], new_redis: Callable[[], tuple[str, str]], monkeypatch: pytest.MonkeyPatch
):
    """Those of a machine whose clock is ahead, too: only they have to be remembered one by one."""
    monkeypatch.setattr("medusa_auth.store.redis.sessions.AT_ONCE", 10)
    monkeypatch.setattr("medusa_auth.store.redis.sessions.ENDING_SECONDS", 0.0)
    now = datetime.now(UTC)
    begun = [now + timedelta(hours=number >= 60) for number in range(85)]
    many = [Session(f"many_{number}", "usr_1", at, at, at + LIFE) for number, at in enumerate(begun)]
    users = Users(AccessTokens(["k" * 32], Claims("user_id", {}), LIFE))
    user = User("usr_1", "ada@example.com", Role.ADMIN, now, now)
    database, (url, prefix) = new_postgresql(), new_redis()

    def add(tx: Transaction) -> None:
        tx.users.add(user, "hash")
        for session in many:
            tx.sessions.add(session, session.id_hash)

    with closing(Stores(database, url, prefix)) as stores, Redis.from_url(url) as client:
        await stores.records.write(add)
        await stores.records.write(lambda tx: users.set_password(tx, user, "another", now))
        ids = {session.id_hash: session.id_hash for session in many}
        assert await stores.records.read(lambda tx: tx.sessions.find_with_users(ids)) == {}
        assert await stores.records.read(lambda tx: [tx.sessions.get(each) for each in ids]) == [None] * 85
        with psycopg.connect(database) as connection:
            kept = {name for (name,) in connection.execute("SELECT id_hash FROM auth_session_ended")}
        assert kept == {session.id_hash for session in many[60:]}
        # The newest, and the ten after them that showed that only older ones follow.
        assert len(list(client.scan_iter(f"{prefix}medusa-auth:session:*"))) == 85 - 40


def _sessions(tx: Transaction, ids: Sequence[str]) -> Mapping[str, object]:
    return tx.sessions.find_with_users({session_id: f"hash of {session_id}" for session_id in ids})


def _writable(tx: Transaction, emails: Sequence[str]) -> Mapping[str, object]:
    tx.sessions.check_writable()
    return tx.users.find_with_passwords(emails)


def _users(tx: Transaction, emails: Sequence[str]) -> Mapping[str, object]:
    return tx.users.find_with_passwords(emails)


async def test_those_who_wait_for_redis_hold_up_nobody_who_does_not(new_postgresql: Callable[[], str]):
    with redis_server() as server, closing(Stores(new_postgresql(), server.url)) as stores:
        look = stores.records.look
        await look(_sessions, "id")
        server.pause()
        try:
            waiting = [
                asyncio.create_task(look(find, f"{number}")) for number in range(20) for find in (_sessions, _writable)
            ]
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                assert await look(_users, "ada@example.com") is None
            assert not any(task.done() for task in waiting), "they are not waited for"
            answers = await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            server.resume()
    assert {str(answer) for answer in answers} == {"503 unavailable: Sessions cannot be reached right now."}


BAD = {
    "redis://:pa/secret@host": "percent-encoded",
    "redis://:pa?secret@host:port": "percent-encoded",
    "redis://host:secret": "percent-encoded",
    "redis://host/secret": "the number of a database",
    "redis://:1/secret@host": "the number of a database",
    "redis://host?secret=1": "an option after the ? that is not known",
    "redis+sentinel://host": "needs the service's name",
    "redis+sentinel://:secret@/service": "a host is missing",
    "redis+sentinel://:secret@host,/service": "a host is missing",
    "redis+sentinel://:secret@host:port/service": "percent-encoded",
    "redis+sentinel://host/service?secret=1": "an option after the ? that is not known",
    "redis+cluster://:secret@host/1": "no databases",
    "redis+cluster://host?secret=1": "an option after the ? that is not known",
    "rediss://:secret@host?ssl_ca_certs=nowhere": "ssl_ca_certs is not a file",
    "rediss://:secret@host?ssl_cert_reqs=CERT_REQUIRED": "an option after the ? whose value is not known",
    "rediss+cluster://:secret@host?ssl_cert_reqs=CERT_REQUIRED": "an option after the ? whose value is not known",
}


@pytest.mark.parametrize("url", BAD)
def test_a_url_that_cannot_be_used_is_refused_with_a_sentence_without_its_secrets(url: str):
    with pytest.raises(SettingsError) as raised:
        Stores("sqlite:///unused", url)
    assert str(raised.value).startswith("REDIS_URL: ")
    assert BAD[url] in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_sessions_go_on_when_sentinels_make_the_replica_the_primary(new_postgresql: Callable[[], str]):
    with watched_redis() as redis:
        async with two_machines(new_postgresql(), redis.url) as (one, other):
            kept, ended = await one.add(), await one.add()
            await one.end(ended)
            assert redis.primary.say("WAIT", 1, 5000) == 1
            redis.primary.kill()
            took = await within(GOES_ON_WITHIN, lambda: other.add("usr_2"))
            print(f"sessions went on {took:.2f} s after the primary was killed, of which {DOWN_AFTER} ms to notice")
            for machine in (one, other):
                await within(GOES_ON_WITHIN, partial(machine.find, kept))
                assert await machine.find(ended) is None
                await machine.quiet()
            await one.end(kept)
            assert await other.heard(kept) < HEARD_WITHIN
            assert await other.find(kept) is None


async def test_a_cluster_is_heard_as_a_whole_also_when_its_primaries_change(new_postgresql: Callable[[], str]):
    with redis_cluster() as redis:
        async with two_machines(new_postgresql(), redis.url) as (one, other):
            await every_primary_is_heard(redis, one, other)
            await sessions_move_to_a_new_primary(redis, one, other)
            await a_killed_primary_is_replaced(redis, one, other)
            assert await one.stores.records.write(lambda tx: tx.sessions.delete_of_user("usr_1")) > 3


async def sessions(machine: Machine, redis: RedisCluster, primaries: int) -> dict[int, Session]:
    """One on each primary, by its port."""
    found: dict[int, Session] = {}
    while len(found) < primaries:
        session = await machine.add()
        found[port_of(redis, session)] = session
    return found


def key(session: Session) -> str:
    return f"medusa-auth:session:{session.id_hash}"


def port_of(redis: RedisCluster, session: Session) -> int:
    with client(redis) as cluster:
        return int(cluster.get_node_from_key(key(session)).port)


@contextmanager
def client(redis: RedisCluster) -> Iterator[ClusterClient]:
    cluster = ClusterClient(host="127.0.0.1", port=redis.servers[-1].port)
    try:
        yield cluster
    finally:
        cluster.close()


async def every_primary_is_heard(redis: RedisCluster, one: Machine, other: Machine) -> None:
    for session in (await sessions(one, redis, 3)).values():
        assert await other.find(session) == session
        await other.quiet()
        with client(redis) as cluster:
            # By somebody else, whom only Redis tells of.
            assert cluster.delete(key(session)) == 1
        assert await other.heard(session) < HEARD_WITHIN
        assert await other.find(session) is None


async def sessions_move_to_a_new_primary(redis: RedisCluster, one: Machine, other: Machine) -> None:
    kept = await one.add()
    slot = int(redis.servers[0].say("CLUSTER", "KEYSLOT", key(kept)))
    source = next(each for each in redis.servers if each.port == port_of(redis, kept))
    new = redis.add_primary()
    redis.move(range(slot, slot + 1), source, new)
    started = time.monotonic()
    await within(GOES_ON_WITHIN, lambda: other.find(kept))
    print(f"found on the new primary after {time.monotonic() - started:.2f} s")
    for machine in (one, other):
        await machine.quiet()
    assert new.say("DEL", key(kept)) == 1
    assert await other.heard(kept) < HEARD_WITHIN
    assert await other.find(kept) is None


async def a_killed_primary_is_replaced(redis: RedisCluster, one: Machine, other: Machine) -> None:
    primary = redis.servers[0]
    redis.add_replica(primary)
    kept = (await sessions(one, redis, 3))[primary.port]
    ended = kept
    while port_of(redis, ended) != primary.port or ended is kept:
        ended = await one.add()
    await one.end(ended)
    assert primary.say("WAIT", 1, 5000) == 1
    primary.kill()
    # The Cluster's own time to notice and to vote.
    took = await within(3 * GOES_ON_WITHIN, lambda: other.find(kept))
    print(f"sessions went on {took:.2f} s after a primary was killed, of which {DOWN_AFTER} ms to notice")
    assert await other.find(ended) is None
    await within(GOES_ON_WITHIN, one.add)
    for machine in (one, other):
        await machine.quiet()
    await one.end(kept)
    assert await other.heard(kept) < HEARD_WITHIN
    assert await other.find(kept) is None
