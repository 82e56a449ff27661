"""Redis or Valkey, asked by whoever needs an answer now."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from medusa_auth.errors import SettingsError, UnavailableError
from medusa_auth.store.redis.servers import Servers, servers_of

__all__ = ["RedisClient"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_AFTER_SECONDS = 1


class RedisClient:
    """`url` is `redis://`, `rediss://` (TLS) or `unix://`, as redis-py reads them.

    `redis+sentinel://user:password@host:26379,host:26379/service/db` asks Sentinels for the server,
    `redis+cluster://host:6379,host:6379` is a Cluster; `rediss+...` both over TLS. Raises SettingsError; nothing is
    connected to yet.
    """

    def __init__(self, url: str) -> None:
        try:
            self.servers: Servers = servers_of(url)
        except (ValueError, TypeError) as error:
            raise SettingsError(f"REDIS_URL: {error}.") from None
        self._client: Redis | RedisCluster | None = None
        self._lock = threading.Lock()
        self._away = threading.Event()

    def call(self, work: Callable[[Any], T]) -> T:
        """The result of `work`, which is given redis-py's client. Raises UnavailableError, at once while it is away."""
        if self._away.is_set():
            raise _unavailable()
        try:
            return work(self._connected())
        except (RedisError, OSError) as error:
            # Of Redis's own sentence the first word: it is a code, and holds no key, no value and no password.
            _log.warning("Redis cannot be used: %s %s", type(error).__name__, str(error).partition(" ")[0])
            raise _unavailable() from None

    def set_away(self, *, away: bool) -> None:
        """Said by whoever listens all the time: while it is away nobody waits for it."""
        if away:
            self._away.set()
        else:
            self._away.clear()

    async def ping(self) -> None:
        """Raises UnavailableError if it cannot be reached."""
        await asyncio.get_running_loop().run_in_executor(None, self.call, lambda redis: redis.ping())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _connected(self) -> Redis | RedisCluster:
        with self._lock:
            if self._client is None:
                self._client = self.servers.client()
            return self._client


def _unavailable() -> UnavailableError:
    return UnavailableError("Sessions cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
