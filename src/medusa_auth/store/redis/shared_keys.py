"""The keys of shared sessions, and how an id is ended for ever."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from redis import RedisCluster

__all__ = ["BATCH", "ENDED_KEY", "FOREIGN_PREFIX", "delete", "end", "hash_of", "literal", "pages"]

# The other program's.
FOREIGN_PREFIX = "sess:"
# A sorted set: ids that have ended, by their hashes, and until when that is remembered, in seconds since 1970.
ENDED_KEY = "medusa-auth:ended"
# So many are looked at in one step.
BATCH = 1000


def end(redis: Any, prefix: str, session_ids: Iterable[str], life: timedelta) -> None:
    """Also those that have ended before; remembered for two lives of a session. Raises RedisError."""
    now = time.time()
    until = now + 2 * life.total_seconds()
    # Whoever signs out may do so in the other program alone: logins here are no occasion to forget all that is over.
    redis.zremrangebyscore(prefix + ENDED_KEY, "-inf", now)
    waiting = iter(session_ids)
    while some := list(islice(waiting, BATCH)):
        # In this order: what is written back between the two is deleted, and after both it is noticed.
        redis.zadd(prefix + ENDED_KEY, {hash_of(session_id): until for session_id in some})
        delete(redis, prefix + FOREIGN_PREFIX, some)


def delete(redis: Any, prefix: str, names: Collection[str]) -> None:
    """The keys of these names. Raises RedisError."""
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.delete(prefix + name)
        pipeline.execute()


def pages(redis: Any, pattern: str) -> Iterator[Sequence[bytes]]:
    """All keys that match, as each step of the search finds them: among many others, most find none.

    Raises RedisError.
    """
    each = [{"target_nodes": node} for node in redis.get_primaries()] if isinstance(redis, RedisCluster) else [{}]
    for target in each:
        cursor = None
        while cursor != 0:
            answer, keys = redis.scan(cursor or 0, match=pattern, count=BATCH, **target)
            (cursor,) = answer.values() if target else (answer,)
            yield keys


def hash_of(session_id: str) -> str:
    """As `core.ids.secret_hash`, which no store knows."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def literal(text: str) -> str:
    """`text` in a pattern of Redis's."""
    return "".join(f"\\{char}" if char in "*?[]\\^-" else char for char in text)
