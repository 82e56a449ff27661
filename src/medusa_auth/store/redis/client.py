"""Redis or Valkey, asked by whoever needs an answer now."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from redis import Redis, RedisCluster
from redis import exceptions as redis_errors
from redis.exceptions import ReadOnlyError, RedisClusterException, RedisError

from medusa_auth.errors import RETRY_AFTER_SECONDS, SettingsError, UnavailableError
from medusa_auth.store.failures import Failures
from medusa_auth.store.redis.reasons import reason
from medusa_auth.store.redis.servers import Servers, UrlError, servers_of
from medusa_auth.store.turns import ANSWER_WITHIN

__all__ = ["FAILURES", "RedisClient"]

T = TypeVar("T")

# Whatever redis-py raises when it cannot do what it is asked; that of a Cluster is no RedisError.
FAILURES = (RedisError, RedisClusterException, OSError)
# It is not there, or does not answer; anything else is about what was asked.
_AWAY = (redis_errors.ConnectionError, redis_errors.TimeoutError, RedisClusterException, OSError)

# Who finds that it is away spares the others the wait, until whoever listens knows better.
AWAY_SECONDS = 0.5


class RedisClient:
    """`url` is `redis://`, `rediss://` (TLS) or `unix://`, as redis-py reads them.

    `redis+sentinel://user:password@host:26379,host:26379/service/db` asks Sentinels for the server,
    `redis+cluster://host:6379,host:6379` is a Cluster; `rediss+...` both over TLS. Raises SettingsError; nothing is
    connected to yet.
    """

    def __init__(self, url: str) -> None:
        try:
            self.servers: Servers = servers_of(url)
        except UrlError as error:
            raise SettingsError(f"REDIS_URL: {error}.") from None
        self._client: Redis | RedisCluster | None = None
        self._lock = threading.Lock()
        self._away_until = float("-inf")
        self.failures = Failures("Redis", reason)

    def call(self, work: Callable[[Any], T]) -> T:
        """The result of `work`, which is given redis-py's client. Raises UnavailableError, at once while it is away."""
        if time.monotonic() < self._away_until:
            raise _unavailable()
        try:
            return work(self._connected())
        except FAILURES as error:
            if isinstance(error, _AWAY):
                self._away_until = max(self._away_until, time.monotonic() + AWAY_SECONDS)
            elif isinstance(error, ReadOnlyError):
                self._connect_anew()
            self.failures.tell(error)
            raise _unavailable() from None

    def set_away(self, *, away: bool) -> None:
        """Said by whoever listens all the time: while it is away nobody waits for it."""
        if away:
            self._connect_anew()
        self._away_until = float("inf" if away else "-inf")

    def answers(self) -> bool:
        """Whether it can be asked, also if it was away; an operator is told why not."""
        try:
            _ping(self._connected())
        except FAILURES as error:
            self.failures.tell(error)
            return False
        return True

    async def ping(self) -> None:
        """Raises UnavailableError if it cannot be reached."""
        try:
            # One that answers bit by bit can take any time, for each bit is an answer in time.
            async with asyncio.timeout(ANSWER_WITHIN):
                await asyncio.get_running_loop().run_in_executor(None, self.call, _ping)
        except TimeoutError:
            raise _unavailable() from None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _connected(self) -> Redis | RedisCluster:
        with self._lock:
            client = self._client
            if client is None:
                client = self._client = self.servers.client()
            return client

    def _connect_anew(self) -> None:
        """What was the primary may have become a replica, and lives, and its address lead to another one by now."""
        # Its connections are closed when the last one who asks over them has done so.
        self._client = None


def _ping(redis: Redis | RedisCluster) -> object:
    # Of a Cluster those that take writes: a replica that is away hinders nobody.
    return redis.ping(target_nodes=RedisCluster.PRIMARIES) if isinstance(redis, RedisCluster) else redis.ping()


def _unavailable() -> UnavailableError:
    return UnavailableError("Sessions cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
