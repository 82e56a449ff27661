"""Two servers, as on two machines, on one PostgreSQL, without and with a Redis: what ends on one ends on the other,
while both are hammered.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from tests.faults.servers import (
    COMMAND,
    PATIENCE,
    SECRETS,
    Headers,
    Server,
    Store,
    ask,
    at_once,
    serving,
    store_of,
    told,
    until,
)
from tests.services.redis import RedisServer, redis_server

from medusa_auth.core.ids import secret_hash
from medusa_auth.core.users import UserChanges
from medusa_auth.model import Role, User

# What is promised; the measures are in what the tests print.
REVOKED_WITHIN = 1.0
IN_A_ROW = 20
ROUNDS = 3
NEW_PASSWORD = "seven purple lamps on a river"

_numbers = itertools.count()
Credentials = Mapping[str, Headers]
Revoke = Callable[["Machines", User, Credentials], None]


class Machines:
    def __init__(self, store: Store, servers: Sequence[Server]) -> None:
        self.store = store
        self.servers = servers
        self.first, self.second = servers
        self.admin = store.bearer()

    def user(self) -> User:
        return self.store.user(f"user{next(_numbers)}@example.com")

    def credentials(self, user: User, kinds: Sequence[str]) -> dict[str, Headers]:
        """One of each kind, remembered by both."""
        make = {
            "cookie": self.store.cookie,
            "access token": self.store.bearer,
            "API token": lambda user: self.store.api_key(user)[0],
        }
        credentials: dict[str, Headers] = {kind: make[kind](user) for kind in kinds}
        assert {server.get(each) for server in self.servers for each in credentials.values()} == {200}
        return credentials

    def command(self, *arguments: str, stdin: str = "") -> None:
        """The command line, on a third machine."""
        settings = self.store.parts.settings
        environ = os.environ | SECRETS
        environ |= {"DATABASE_URL": self.store.url, "REDIS_URL": settings.redis_url}
        environ |= {"MEDUSA_AUTH_DATA_DIR": str(settings.data_dir)}
        subprocess.run([*COMMAND, *arguments], input=stdin.encode(), env=environ, check=True, capture_output=True)


@pytest.fixture(scope="module", params=["postgresql", "postgresql and redis"])
def redis(request: pytest.FixtureRequest) -> Iterator[RedisServer | None]:
    if request.param == "postgresql":
        yield None
        return
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def store(
    new_postgresql: Callable[[], str],
    redis: RedisServer | None,
    tmp_path_factory: pytest.TempPathFactory,
    password_hash: str,
) -> Iterator[Store]:
    folder, url = tmp_path_factory.mktemp("store"), redis.url if redis else ""
    with store_of(folder, new_postgresql(), password_hash, url) as store:
        yield store


@pytest.fixture(scope="module")
def machines(store: Store, redis: RedisServer | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    url = redis.url if redis else ""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving(tmp_path_factory.mktemp(name), store.url, redis=url))
            for name in ("first", "second")
        ]
        yield Machines(store, servers)


def log_out(machines: Machines, _: User, credentials: Credentials) -> None:
    together = {name: value for headers in credentials.values() for name, value in headers.items()}
    assert machines.first.call("DELETE", "/admin/auth", together).status == 200


def reset_password(machines: Machines, user: User, _: Credentials) -> None:
    parts = machines.store.parts
    token = machines.store.write(lambda tx: parts.resets.issue(tx, user, parts.clock()))
    body = {"token": token, "password": NEW_PASSWORD}
    assert machines.first.call("POST", "/admin/users/reset-password", None, body).status == 200


def set_password(machines: Machines, user: User, _: Credentials) -> None:
    machines.command("users", "set-password", "--email", user.email, "--password-stdin", stdin=NEW_PASSWORD)


def delete(machines: Machines, user: User, _: Credentials) -> None:
    assert machines.first.call("DELETE", f"/admin/users/{user.id}", machines.admin).status == 200


def demote(machines: Machines, user: User, _: Credentials) -> None:
    assert machines.first.call("POST", f"/admin/users/{user.id}", machines.admin, {"role": "member"}).status == 200


def revoke_token(machines: Machines, user: User, _: Credentials) -> None:
    parts = machines.store.parts
    ((token_id,),) = machines.store.execute("SELECT id FROM auth_api_token WHERE user_id = %s", user.id)
    assert machines.store.write(lambda tx: parts.api_tokens.revoke(tx, token_id, parts.clock()))


CHECK = ("GET", "/admin/auth")
# A write that only an admin may do, and that changes nothing.
WRITE = ("DELETE", "/admin/invites/invite_none")
ALL = ("cookie", "access token", "API token")
REASONS = {
    "logout": (log_out, ALL[:2], CHECK, 401),
    "reset": (reset_password, ALL[:2], CHECK, 401),
    "new password by the command line": (set_password, ALL[:2], CHECK, 401),
    "deletion": (delete, ALL, CHECK, 401),
    "demotion": (demote, ALL, WRITE, 403),
    "revoked API token": (revoke_token, ALL[2:], CHECK, 401),
}


class Hammering:
    """Threads that ask with the same credentials until each was refused many times in a row."""

    def __init__(self, request: tuple[str, str], refused: int, threads: int) -> None:
        self._request = request
        self._refused = refused
        self._begun = threading.Barrier(threads + 1)
        self._acknowledged = threading.Event()

    def work(self, server: Server, headers: Headers) -> float:
        """The moment at which the last success was received."""
        with closing(server.connect()) as connection:
            status = ask(connection, *self._request, headers).status
            assert status == 200, status
            self._begun.wait(PATIENCE)
            last, in_a_row, ends_at = time.monotonic(), 0, time.monotonic() + 3 * PATIENCE
            while in_a_row < IN_A_ROW:
                assert time.monotonic() < ends_at
                status = ask(connection, *self._request, headers).status
                assert status in {200, self._refused, 503}
                in_a_row += status == self._refused and self._acknowledged.is_set()
                if status == 200:
                    last, in_a_row = time.monotonic(), 0
        return last

    def acknowledged_at(self, revoke: Callable[[], None]) -> float:
        self._begun.wait(PATIENCE)
        revoke()
        at = time.monotonic()
        self._acknowledged.set()
        return at


def last_successes(
    machines: Machines, revoke: Revoke, kinds: Sequence[str], request: tuple[str, str] = CHECK, refused: int = 401
) -> list[float]:
    """How long after the acknowledgement of `revoke` each of the hammering threads had its last success."""
    user = machines.user()
    credentials = machines.credentials(user, kinds)
    asked = [(server, headers) for server in machines.servers for headers in credentials.values()] * 2
    hammering = Hammering(request, refused, len(asked))
    with ThreadPoolExecutor(len(asked)) as threads:
        working = [threads.submit(hammering.work, *each) for each in asked]
        at = hammering.acknowledged_at(partial(revoke, machines, user, credentials))
        return [max(0.0, each.result() - at) for each in working]


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_revoked_on_one_machine_is_refused_on_both(machines: Machines, reason: str):
    # A command takes its time to begin.
    rounds = 1 if REASONS[reason][0] is set_password else ROUNDS
    seconds = list(itertools.chain(*(last_successes(machines, *REASONS[reason]) for _ in range(rounds))))
    print(told(f"last success after {reason}", seconds))
    assert max(seconds) < REVOKED_WITHIN


def test_what_leaves_api_tokens_leaves_them_on_both(machines: Machines):
    for revoke in (log_out, reset_password):
        user = machines.user()
        credentials = machines.credentials(user, ALL)
        revoke(machines, user, credentials)
        until(lambda: machines.second.get(credentials["cookie"]) == 401, "the session is still good", 1.0)  # noqa: B023
        assert [server.get(credentials["API token"]) for server in machines.servers] == [200, 200]


def test_a_machine_that_was_stopped_for_a_while_is_right_from_its_first_answer_on(machines: Machines):
    stopped, pid = machines.second, machines.second.process.pid
    users = [machines.user() for _ in range(4)]
    remembered = [machines.credentials(user, ALL) for user in users]
    connections = [stopped.connect() for _ in range(len(users) * len(ALL))]
    headers = [each for credentials in remembered for each in credentials.values()]
    for connection in connections:
        ask(connection, "GET", "/health")
    with ThreadPoolExecutor(len(headers)) as threads:
        os.kill(pid, signal.SIGSTOP)
        try:
            for user in users:
                delete(machines, user, {})
            # Half of them wait for it already when it goes on.
            works = [
                partial(ask, connection, "GET", "/admin/auth", each)
                for connection, each in zip(connections, headers, strict=True)
            ]
            waiting = [threads.submit(work) for work in works[::2]]
            time.sleep(3)
        finally:
            os.kill(pid, signal.SIGCONT)
        late = [threads.submit(work) for work in works[1::2]]
        statuses = {each.result().status for each in [*waiting, *late]}
    for connection in connections:
        connection.close()
    assert statuses == {401}


STOPPED_SECONDS = 1.5


def delete_while_one_is_stopped(machines: Machines, user: User, credentials: Credentials) -> None:
    """Whatever it is about to answer then, it would answer when it goes on."""
    os.kill(machines.second.process.pid, signal.SIGSTOP)
    threading.Timer(STOPPED_SECONDS, os.kill, (machines.second.process.pid, signal.SIGCONT)).start()
    delete(machines, user, credentials)


def test_a_machine_that_is_stopped_in_the_middle_of_its_work_tells_nothing_old_when_it_goes_on(machines: Machines):
    rounds = [last_successes(machines, delete_while_one_is_stopped, ALL) for _ in range(ROUNDS)]
    seconds = list(itertools.chain(*rounds))
    print(told("last success while a machine is stopped", seconds))
    assert max(seconds) < REVOKED_WITHIN


def end_listening_to_postgresql(store: Store, _: RedisServer | None) -> int:
    ended = store.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'medusa-auth changes' AND datname = current_database()"
    )
    return len(ended)


def end_listening_to_redis(_: Store, redis: RedisServer | None) -> int:
    assert redis is not None
    listening = [client for client in redis.say("CLIENT LIST") if client["name"] == "medusa-auth-changes"]
    for client in listening:
        # It may have gone meanwhile.
        with suppress(ResponseError):
            redis.say("CLIENT", "KILL", "ID", client["id"])
    return len(listening)


@pytest.mark.parametrize(
    ("redis", "end"),
    [
        ("postgresql", end_listening_to_postgresql),
        ("postgresql and redis", end_listening_to_postgresql),
        ("postgresql and redis", end_listening_to_redis),
    ],
    indirect=["redis"],
)
def test_a_machine_whose_listening_connection_is_ended_again_and_again_is_right_all_the_time(
    machines: Machines, redis: RedisServer | None, end: Callable[[Store, RedisServer | None], int]
):
    over = threading.Event()

    def interfere() -> int:
        ended = 0
        while not over.wait(0.05):
            ended += end(machines.store, redis)
        return ended

    with ThreadPoolExecutor(1) as threads:
        interfering = threads.submit(interfere)
        try:
            works = [(delete, ALL), (log_out, ALL[:2])] * 2
            seconds = list(itertools.chain(*(last_successes(machines, *work) for work in works)))
        finally:
            over.set()
        assert interfering.result() > ROUNDS
    print(told("last success while nobody hears for long", seconds))
    assert max(seconds) < REVOKED_WITHIN


def test_a_credential_that_stays_good_is_good_on_both_while_others_are_revoked(machines: Machines):
    kept = machines.credentials(machines.user(), ALL)
    others = [machines.user() for _ in range(5)]
    works = [partial(delete, machines, user, {}) for user in others]
    at_once(works)
    assert {server.get(each) for server in machines.servers for each in kept.values()} == {200}


def test_a_promotion_is_in_force_on_the_other_machine(machines: Machines):
    user = machines.user()
    demote(machines, user, {})
    credentials = machines.credentials(user, ALL)
    parts = machines.store.parts
    changes = UserChanges(role=Role.ADMIN)
    machines.store.write(lambda tx: parts.users.update(tx, parts.users.get(tx, user.id), changes, parts.clock()))
    for each in credentials.values():
        until(partial(_may_write, machines.second, each), "the new role is not in force", 1.0)


def end_by_hand(machines: Machines, _: User, credentials: Credentials) -> None:
    """In Redis, by somebody who knows nothing of us."""
    id_hash = secret_hash(machines.store.session_id(credentials["cookie"]))
    with closing(Redis.from_url(machines.store.parts.settings.redis_url)) as client:
        assert client.delete(f"medusa-auth:session:{id_hash}") == 1


@pytest.mark.parametrize("redis", ["postgresql and redis"], indirect=True)
def test_a_session_that_somebody_deletes_in_redis_is_refused_on_both(machines: Machines):
    seconds = list(itertools.chain(*(last_successes(machines, end_by_hand, ALL[:1]) for _ in range(2 * ROUNDS))))
    print(told("last success after a session was deleted by hand", seconds))
    assert max(seconds) < REVOKED_WITHIN


def _may_write(server: Server, headers: Headers) -> bool:
    return server.call(*WRITE, headers).status == 200
