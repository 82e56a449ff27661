"""When a request is sent again. The counts are those of the real medusa-js 6.1.10 against scripted servers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import httpx2
import pytest

from medusa_auth.client.calls import Call, Wait
from medusa_auth.client.replies import Reply
from medusa_auth.client.retries import backoff, send
from medusa_auth.errors import ConnectionError, TimeoutError  # noqa: A004 - this package's

GET = Call("GET", "/admin/auth", httpx2.Headers())
POST = Call("POST", "/admin/auth", httpx2.Headers())
DELETE = Call("DELETE", "/admin/auth", httpx2.Headers())
DROPPED = ConnectionError("reset")
LATE = TimeoutError("late")

Outcome = Reply | ConnectionError


def play(call: Call, max_retries: int, outcomes: Sequence[Outcome]) -> tuple[int, list[float], Outcome]:
    """Run the flow against `outcomes`, the last of which repeats: requests, waits, and how it ended."""
    flow = send(call, max_retries, Random(1))
    waits: list[float] = []
    requests = 0
    try:
        step = next(flow)
        while True:
            if isinstance(step, Wait):
                waits.append(step.seconds)
                step = flow.send(None)
                continue
            assert step is call
            outcome = outcomes[min(requests, len(outcomes) - 1)]
            requests += 1
            step = flow.throw(outcome) if isinstance(outcome, ConnectionError) else flow.send(outcome)
    except StopIteration as ended:
        return requests, waits, ended.value
    except ConnectionError as error:
        return requests, waits, error


@pytest.mark.parametrize("call", [GET, POST, DELETE], ids=lambda call: call.method)
@pytest.mark.parametrize("max_retries", [0, 2, 3])
@pytest.mark.parametrize(
    ("outcome", "is_repeated"),
    [
        (Reply(500), False),
        (Reply(501), True),
        (Reply(502), True),
        (Reply(503), True),
        (Reply(504), True),
        (Reply(599), True),
        (Reply(600), False),
        (Reply(409), True),
        (DROPPED, True),
        (Reply(400), False),
        (Reply(401), False),
        (Reply(404), False),
        (Reply(408), False),
        (Reply(429, {"retry-after": "1"}), False),
        (Reply(200), False),
        (Reply(302), False),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_what_fails_in_passing_is_sent_max_retries_more_times(
    call: Call, max_retries: int, outcome: Outcome, is_repeated: bool
) -> None:
    requests, waits, end = play(call, max_retries, [outcome])
    assert requests == (max_retries + 1 if is_repeated else 1)
    assert len(waits) == requests - 1
    assert end is outcome


@pytest.mark.parametrize(("call", "requests"), [(GET, 3), (DELETE, 3), (POST, 1)], ids=["GET", "DELETE", "POST"])
def test_after_a_timeout_only_what_may_be_done_twice_is_sent_again(call: Call, requests: int) -> None:
    assert play(call, 2, [LATE])[0] == requests


def test_a_success_ends_the_retries() -> None:
    assert play(POST, 3, [Reply(503), Reply(200)])[0] == 2
    assert play(POST, 3, [DROPPED, DROPPED, Reply(200)])[0] == 3


def test_failures_of_different_kinds_count_together() -> None:
    requests, _, end = play(POST, 2, [DROPPED, Reply(503), DROPPED, Reply(200)])
    assert (requests, end) == (3, DROPPED)


@pytest.mark.parametrize(("retry", "longest"), [(1, 0.5), (2, 1.5), (3, 3.5), (4, 7.5), (7, 60.0), (5000, 60.0)])
def test_the_wait_is_medusa_js_s_or_down_to_half_of_it(retry: int, longest: float) -> None:
    waits = [backoff(retry, Random(seed)) for seed in range(200)]
    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert max(waits) - min(waits) > longest / 4


def test_the_waits_of_one_call_grow() -> None:
    first, second, third = play(GET, 3, [Reply(503)])[1]
    assert (0.25 <= first <= 0.5, 0.75 <= second <= 1.5, 1.75 <= third <= 3.5) == (True, True, True)


@pytest.mark.parametrize("asked", ["3", "60"])
def test_retry_after_is_the_least_wait(asked: str) -> None:
    assert play(GET, 1, [Reply(503, {"retry-after": asked})])[1] == [float(asked)]


def test_a_retry_after_that_is_shorter_than_the_wait_changes_nothing() -> None:
    assert play(GET, 1, [Reply(503, {"retry-after": "0"})])[1] == play(GET, 1, [Reply(503)])[1]


def test_a_retry_after_of_more_than_a_minute_ends_the_retries() -> None:
    assert play(GET, 3, [Reply(503, {"retry-after": "61"})])[:2] == (1, [])
