"""The keys of shared sessions, and how an id is ended for ever."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from datetime import timedelta
from typing import Any

__all__ = ["BATCH", "ENDED_KEY", "FOREIGN_PREFIX", "delete", "end", "hash_of", "literal"]

# The other program's.
FOREIGN_PREFIX = "sess:"
# A sorted set: ids that have ended, by their hashes, and until when that is remembered, in seconds since 1970.
ENDED_KEY = "medusa-auth:ended"
# So many are looked at in one step.
BATCH = 1000


def end(redis: Any, prefix: str, session_id: str, life: timedelta) -> None:
    """Also if it has ended before; remembered for two lives of a session. Raises RedisError."""
    until = time.time() + 2 * life.total_seconds()
    # In this order: what is written back between the two is deleted, and after both it is noticed.
    redis.zadd(prefix + ENDED_KEY, {hash_of(session_id): until})
    delete(redis, prefix, [session_id])


def delete(redis: Any, prefix: str, session_ids: Collection[str]) -> None:
    """What the other program keeps under these ids. Raises RedisError."""
    for session_id in session_ids:
        redis.delete(f"{prefix}{FOREIGN_PREFIX}{session_id}")


def hash_of(session_id: str) -> str:
    """As `core.ids.secret_hash`, which no store knows."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def literal(text: str) -> str:
    """`text` in a pattern of Redis's."""
    return "".join(f"\\{char}" if char in "*?[]\\^-" else char for char in text)
