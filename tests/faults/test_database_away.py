"""PostgreSQL behind a network that fails: what cannot be checked is 503, soon, and all is well again by itself."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url
from tests.faults.proxy import How, Proxy
from tests.faults.servers import Answer, Headers, Server, Store, at_once, login, serving, through, told, until

from medusa_auth.core.ids import secret_hash
from medusa_auth.store.sql.postgres_connections import BoundedConnection

# What each connection says first: its application_name.
RECORDS, LISTENER = b"medusa-auth\0", b"medusa-auth changes\0"
FAULTS = [How.BLACK_HOLE, How.REFUSE, How.RESET, How.SLOW]
# The aim is one second; a slow machine gets another one.
SOON = 2.0
RECOVERED_WITHIN = 5.0


@pytest.fixture(scope="module")
def line(store: Store) -> Iterator[Proxy]:
    proxy = Proxy(make_url(store.url).port or 5432)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def one_server(store: Store, line: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), through(store.url, line.port)) as server:
        yield server


@pytest.fixture
def server(one_server: Server, line: Proxy, store: Store) -> Iterator[Server]:
    """The same process for all tests: after each fault it has to come back by itself."""
    until(lambda: remembers(one_server, store), "the server does not remember", RECOVERED_WITHIN)
    yield one_server
    line.switch(How.PASS)
    until(one_server.is_ready, "the server has not come back", RECOVERED_WITHIN)


def remembers(server: Server, store: Store) -> bool:
    """Whether a checked credential is answered from the cache: one whose end was announced to nobody."""
    cookie = store.cookie()
    if server.get(cookie) != 200:
        return False
    store.execute("DELETE FROM auth_session WHERE created_at = (SELECT max(created_at) FROM auth_session)")
    return server.get(cookie) == 200


def unheard(server: Server, cached: Headers) -> float:
    """The seconds until a credential that was remembered cannot be checked."""
    return until(lambda: server.get(cached) == 503, "the cache is still believed", 2 * SOON)


def requests(server: Server, cached: Headers, fresh: Headers) -> dict[str, Callable[[], Answer]]:
    return {
        "check of a remembered session": partial(server.call, "GET", "/admin/auth", cached),
        "check of a new session": partial(server.call, "GET", "/admin/auth", fresh),
        "login": partial(server.call, "POST", "/admin/auth", None, login()),
        "token": partial(server.call, "POST", "/admin/auth/token", None, login()),
        "logout of a remembered session": partial(server.call, "DELETE", "/admin/auth", cached),
        "logout of a new session": partial(server.call, "DELETE", "/admin/auth", fresh),
        "list of users": partial(server.call, "GET", "/admin/users", cached),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_without_its_database_everything_is_503_soon_and_works_again_by_itself(
    server: Server, store: Store, line: Proxy, fault: How
):
    cached, fresh = store.cookie(), store.cookie()
    assert server.get(cached) == 200
    line.switch(fault)
    print(f"{fault.name}: cache not believed after {unheard(server, cached):.2f} s")
    works = requests(server, cached, fresh)
    answers = {name: work() for name, work in works.items()}
    crowd = at_once([*works.values()] * 4)
    for name, answer in answers.items():
        print(f"{fault.name}: {name}: {answer.status} after {answer.seconds:.2f} s")
    print(told(f"{fault.name}: {len(crowd)} at once", [answer.seconds for answer in crowd]))
    for answer in [*answers.values(), *crowd]:
        assert (answer.status, answer.headers.get("retry-after")) == (503, "1")
        assert answer.json()["message"] == "The database cannot be reached right now."
        assert answer.seconds < SOON
    ready = server.call("GET", "/ready")
    assert ready.status == 503
    assert ready.seconds < SOON
    assert server.call("GET", "/health").status == 200
    line.switch(How.PASS)
    print(f"{fault.name}: ready after {until(server.is_ready, 'not ready', RECOVERED_WITHIN):.2f} s")
    assert [server.get(cached), server.get(fresh)] == [200, 200], "no logout was confirmed"
    took = until(lambda: remembers(server, store), "nothing is remembered again", RECOVERED_WITHIN)
    print(f"{fault.name}: remembers again {took:.2f} s later")
    assert server.call("DELETE", "/admin/auth", cached).status == 200
    assert [server.get(cached), server.get(fresh)] == [401, 200]


def test_a_logout_that_was_confirmed_has_happened_whatever_became_of_the_database(
    server: Server, store: Store, line: Proxy
):
    cookies = [store.cookie() for _ in range(60)]
    faults = itertools.cycle([How.RESET, How.PASS, How.BLACK_HOLE, How.PASS, How.PASS])

    def log_out(cookie: Headers) -> int:
        return server.call("DELETE", "/admin/auth", cookie).status

    def interfere(number: int) -> int:
        if number % 6 == 0:
            line.switch(next(faults))
        return log_out(cookies[number])

    statuses = [
        status
        for start in range(0, len(cookies), 6)
        for status in at_once([partial(interfere, number) for number in range(start, start + 6)])
    ]
    line.switch(How.PASS)
    until(server.is_ready, "not ready", RECOVERED_WITHIN)
    assert set(statuses) == {200, 503}
    after = [server.get(cookie) for cookie in cookies]
    assert {now for status, now in zip(statuses, after, strict=True) if status == 200} == {401}


def test_no_password_is_hashed_while_the_database_is_away(
    store: Store, line: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # One at a time may hash, and none may wait: of many that came so far, most would be told that they are too many.
    monkeypatch.setenv("MEDUSA_AUTH_HASHING_THREADS", "1")
    monkeypatch.setenv("MEDUSA_AUTH_HASHING_QUEUE", "0")
    with serving(tmp_path / "server", through(store.url, line.port)) as server:
        log_in = partial(server.call, "POST", "/admin/auth", None, login())
        assert "Too many logins at once." in {answer.json().get("message") for answer in at_once([log_in] * 20)}
        line.switch(How.REFUSE)
        try:
            answers = at_once([log_in] * 20)
        finally:
            line.switch(How.PASS)
    assert {answer.status for answer in answers} == {503}
    assert {answer.json()["message"] for answer in answers} == {"The database cannot be reached right now."}


@pytest.mark.parametrize("fault", [How.BLACK_HOLE, How.RESET, How.SLOW])
def test_while_announcements_cannot_be_heard_nothing_is_answered_from_the_cache(
    server: Server, store: Store, line: Proxy, fault: How
):
    cookie, kept = store.cookie(), store.cookie()
    assert [server.get(cookie), server.get(kept)] == [200, 200]
    line.switch(fault, LISTENER)
    session_id = store.session_id(cookie)
    store.write(lambda tx: store.parts.sessions.end(tx, session_id, store.parts.clock()))
    took = until(lambda: server.get(cookie) == 401, "what is revoked is still good", 1.0)
    print(f"{fault.name}: refused {took:.3f} s after the revocation, which was not heard")
    for _ in range(20):
        assert [server.get(cookie), server.get(kept)] == [401, 200]
    store.execute("DELETE FROM auth_session WHERE id_hash = %s", secret_hash(store.session_id(kept)))
    assert server.get(kept) == 401, "not even what was announced to nobody is remembered"
    line.switch(How.PASS)
    took = until(lambda: remembers(server, store), "nothing is remembered again", RECOVERED_WITHIN)
    print(f"{fault.name}: remembers again after {took:.2f} s")


def test_while_announcements_are_heard_a_remembered_credential_needs_no_records(
    server: Server, store: Store, line: Proxy
):
    cached, fresh = store.cookie(), store.cookie()
    assert server.get(cached) == 200
    line.switch(How.BLACK_HOLE, RECORDS)
    assert [server.get(cached), server.get(fresh)] == [200, 503]
    session_id = store.session_id(cached)
    store.write(lambda tx: store.parts.sessions.end(tx, session_id, store.parts.clock()))
    until(lambda: server.get(cached) == 503, "what is revoked is still good", 1.0)


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    """For connections that are made meanwhile, and they are all: as on a standby, until the address leads elsewhere."""
    url = make_url(store.url)
    name, beside = url.database, url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(beside, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        try:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())


def test_a_connection_to_a_database_that_takes_no_writes_is_not_kept(server: Server, store: Store):
    token = store.bearer()
    log_in = partial(server.call, "POST", "/admin/auth", None, login())
    with read_only(store):
        until(lambda: server.get(token) == 200, "nothing is read", RECOVERED_WITHIN)
        for answer in at_once([log_in] * 8):
            assert (answer.status, answer.headers.get("retry-after")) == (503, "1")
    took = until(lambda: log_in().status == 200, "no login", RECOVERED_WITHIN)
    print(f"a login {took:.2f} s after writes were taken again")
    assert {answer.status for answer in at_once([log_in] * 8)} == {200}


def test_a_connection_over_which_answers_come_byte_by_byte_is_given_up(store: Store):
    with (
        closing(Proxy(make_url(store.url).port or 5432)) as line,
        BoundedConnection.connect(through(store.url, line.port)) as connection,
    ):
        # So that there is always another one, whenever the client looks.
        line.pause = 0.05
        line.switch(How.TRICKLE)
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match="does not answer"):
            connection.execute("SELECT repeat('a', 100)")
        assert time.monotonic() - started < SOON
        assert connection.closed
