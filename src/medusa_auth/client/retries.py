"""When a request is sent again, and when: as medusa-js does with `maxRetries`, but with jitter and with timeouts."""

from __future__ import annotations

from random import Random

from medusa_auth.client.calls import Call, Flow, Wait
from medusa_auth.client.replies import Reply
from medusa_auth.errors import ConnectionError, TimeoutError  # noqa: A004 - this package's

__all__ = ["send"]

LONGEST_WAIT = 60.0  # seconds; who is told to wait for longer is better off with the error

# RFC 9110 section 9.2.2: sending these twice does what sending them once does.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def send(call: Call, max_retries: int, random: Random) -> Flow[Reply]:
    """The reply to `call`, or to the last of up to `max_retries` repetitions; it may be an error.

    Sent again after 409 and 501 to 599, and where there was no answer; never after 500 or another 4xx. Retry-After is
    waited for; past LONGEST_WAIT seconds the reply is returned at once. Raises ConnectionError.
    """
    for retry in range(1, max_retries + 1):
        asked = 0.0
        try:
            reply: Reply = yield call
        except ConnectionError as error:
            if not _is_worth_repeating(call, error):
                raise
        else:
            asked = reply.retry_after or 0.0
            if not _is_passing(reply.status) or asked > LONGEST_WAIT:
                return reply
        yield Wait(max(asked, backoff(retry, random)))
    last: Reply = yield call
    return last


def backoff(retry: int, random: Random) -> float:
    """Seconds before the `retry`-th repetition: medusa-js's 0.5, 1.5, 3.5 ... ((2^n - 1) / 2) or less, down to half.

    The jitter keeps clients that failed together from coming back together.
    """
    return min(LONGEST_WAIT, (2.0 ** min(retry, 10) - 1) / 2) * random.uniform(0.5, 1.0)


def _is_passing(status: int) -> bool:
    """retry-axios, as medusa-js sets it up: 409 and 501 to 599."""
    return status == 409 or 501 <= status <= 599  # noqa: PLR2004 - see above


def _is_worth_repeating(call: Call, error: ConnectionError) -> bool:
    """After a timeout the server may still be at it, so only what may be done twice is sent again."""
    return call.method in _IDEMPOTENT or not isinstance(error, TimeoutError)
