"""What only PostgreSQL's announcements have to stand."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy.engine import make_url
from tests.faults.proxy import How, Proxy

from medusa_auth.errors import UnavailableError
from medusa_auth.store.failures import Failures
from medusa_auth.store.hearing import MAX_NAMES
from medusa_auth.store.sql.engines import first_line
from medusa_auth.store.sql.postgres_changes import PostgresChanges
from medusa_auth.store.sql.records import CHANNEL, SESSIONS_CHANNEL

FILES = 1100


@contextmanager
def many_open_files() -> Iterator[None]:
    """What is opened next has a number that does not fit into select's set of 1024."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2 * FILES), before[1]))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(FILES)]
    try:
        yield
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def announce(url: str, user_id: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, user_id))


def hears(changes: PostgresChanges, url: str, user_id: str) -> bool:
    announce(url, user_id)
    ends_at = time.monotonic() + 3
    while time.monotonic() < ends_at:
        try:
            if user_id in (changes.poll() or ()):
                return True
        except UnavailableError:
            pass
        time.sleep(0.01)
    return False


def test_a_server_with_more_than_a_thousand_connections_hears_of_changes(new_postgresql: Callable[[], str]):
    url = new_postgresql()
    with many_open_files():
        changes = PostgresChanges(url)
        assert hears(changes, url, "usr_1")
        changes.close()


def test_an_announcement_that_nobody_understands_makes_nobody_deaf(new_postgresql: Callable[[], str]):
    """Whoever may connect to the database may announce something."""
    url = new_postgresql()
    changes = PostgresChanges(url, end_sessions=lambda *_: None)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", (SESSIONS_CHANNEL, "no time"))
    assert hears(changes, url, "usr_1")
    changes.close()


def test_while_nobody_polls_no_more_users_are_kept_than_a_bound(new_postgresql: Callable[[], str]):
    url = new_postgresql()
    changes = PostgresChanges(url)
    changes.hear([f"usr_{number}" for number in range(MAX_NAMES + 1)])
    assert changes.poll() is None
    assert changes.poll() == set()
    changes.close()


def test_while_the_database_is_away_the_log_says_why_once_and_then_that_it_answers_again(
    new_postgresql: Callable[[], str], caplog: pytest.LogCaptureFixture
):
    told: list[str] = []

    def reason(error: BaseException) -> str:
        told.append(first_line(error))
        return told[-1]

    def wait(happened: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 10
        while not happened():
            assert time.monotonic() < ends_at
            time.sleep(0.01)

    url = make_url(new_postgresql())
    assert url.port is not None
    proxy = Proxy(url.port)
    try:
        address = url.set(port=proxy.port).render_as_string(hide_password=False)
        with closing(PostgresChanges(address, failures=Failures("The database", reason))) as changes:
            proxy.switch(How.REFUSE)
            wait(lambda: len(told) >= 6)
            assert len(set(told)) < 4
            said = [record.getMessage() for record in caplog.records]
            assert said == [f"The database cannot be used: {why}" for why in dict.fromkeys(told)]
            assert "Connection refused" in said[-1]
            proxy.switch(How.PASS)
            wait(lambda: caplog.messages[-1] == "The database answers again")
            assert changes.poll() is None
    finally:
        proxy.close()
