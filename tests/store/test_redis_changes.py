"""What only Redis's announcements have to stand."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

import pytest
from redis import Redis
from tests.services.redis import RedisServer, redis_server

from medusa_auth.errors import UnavailableError
from medusa_auth.store.hearing import ASK_EVERY, HEARD_WITHIN, MAX_NAMES
from medusa_auth.store.redis.changes import RedisChanges, Watch
from medusa_auth.store.redis.client import RedisClient

PREFIX = "session:"


class Clock:
    """Monotonic, and as far ahead as a test says."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@contextmanager
def listening(redis: RedisServer, clock: Callable[[], float] = time.monotonic) -> Iterator[RedisChanges]:
    client = RedisClient(redis.url)
    changes = RedisChanges(client, Watch(PREFIX), clock)
    try:
        yield changes
    finally:
        changes.close()
        client.close()


def put(redis: RedisServer, names: Collection[str]) -> None:
    with Redis(port=redis.port) as client, client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.set(PREFIX + name, "")
        pipeline.execute()


def polled(changes: RedisChanges) -> Collection[str] | None:
    """What is told when it can be."""
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        try:
            return changes.poll()
        except UnavailableError:
            time.sleep(0.01)
    raise AssertionError


def heard(changes: RedisChanges) -> Collection[str] | None:
    """What is told once all that was done has arrived."""
    time.sleep(changes.delay)
    return polled(changes)


def unheard(changes: RedisChanges) -> float:
    """The seconds until it says that it cannot hear."""
    started = time.monotonic()
    while time.monotonic() < started + 5:
        try:
            changes.poll()
        except UnavailableError:
            return time.monotonic() - started
        time.sleep(0.01)
    raise AssertionError


def test_only_keys_with_the_prefix_are_told_of_and_by_the_rest_of_their_names(redis: RedisServer):
    with listening(redis) as changes:
        put(redis, ["a", "b"])
        redis.say("SET", "another", "")
        assert heard(changes) == {"a", "b"}
        assert heard(changes) == set()


def test_after_a_lost_connection_anything_may_have_been_missed(redis: RedisServer):
    with listening(redis) as changes:
        assert heard(changes) == set()
        redis.say("CLIENT", "KILL", "TYPE", "normal")
        put(redis, ["missed"])
        assert heard(changes) is None
        assert heard(changes) == set()
        put(redis, ["a"])
        assert heard(changes) == {"a"}


def test_when_all_keys_go_at_once_everybody_is_to_be_forgotten(redis: RedisServer):
    with listening(redis) as changes:
        redis.say("FLUSHALL")
        assert heard(changes) is None


def test_a_clock_that_jumps_is_silence_until_the_next_answer(redis: RedisServer):
    clock = Clock()
    with listening(redis, clock) as changes:
        assert heard(changes) == set()
        clock.ahead = HEARD_WITHIN
        with pytest.raises(UnavailableError):
            changes.poll()
        put(redis, ["a"])
        assert heard(changes) == {"a"}


def test_thousands_of_messages_that_come_at_once_are_all_told(redis: RedisServer):
    names = {f"s{number}" for number in range(MAX_NAMES - 1)}
    with listening(redis) as changes:
        assert heard(changes) == set()
        put(redis, names)
        assert heard(changes) == names


def test_while_nobody_polls_no_more_is_kept_than_a_bound(redis: RedisServer):
    with listening(redis) as changes:
        assert heard(changes) == set()
        put(redis, [f"n{number}" for number in range(MAX_NAMES + 100)])
        time.sleep(2 * HEARD_WITHIN)
        assert len(changes._hearing._names) <= MAX_NAMES
        assert polled(changes) is None


def test_a_server_that_does_not_answer_is_not_believed_for_long(redis: RedisServer):
    with listening(redis) as changes:
        assert heard(changes) == set()
        redis.pause()
        try:
            assert unheard(changes) < 2 * HEARD_WITHIN
        finally:
            redis.resume()
        put(redis, ["later"])
        # Whether the connection was lost as well depends on which of the two waits ended first.
        told = heard(changes)
        assert told is None or "later" in told


def test_closing_takes_no_time(redis: RedisServer):
    """Of five most: a machine may be busy, and whoever waited for the next question would do so each time."""
    took = []
    with ExitStack() as stack:
        listeners = [stack.enter_context(listening(redis)) for _ in range(5)]
        assert [heard(changes) for changes in listeners[:1]] == [set()]
        for changes in listeners:
            # All of them ask at the same time, and are closed in between.
            time.sleep(0.3 * ASK_EVERY)
            started = time.monotonic()
            changes.close()
            took.append(time.monotonic() - started)
            changes.close()
    print(f"closed after {sorted(took)} s")
    assert median(took) < ASK_EVERY / 4


def test_closing_takes_little_time_while_the_server_does_not_answer(redis: RedisServer):
    with listening(redis) as changes:
        assert heard(changes) == set()
        redis.pause()
        try:
            unheard(changes)
            started = time.monotonic()
            changes.close()
            assert time.monotonic() - started < 2.0
        finally:
            redis.resume()
