"""The stores that the addresses name, put together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from medusa_auth.errors import SettingsError
from medusa_auth.store.base import Changes, Pingable
from medusa_auth.store.sql.ended_sessions import SqlEndedSessions
from medusa_auth.store.sql.listen import listen
from medusa_auth.store.sql.records import SqlRecords

__all__ = ["Stores"]


class Stores:
    """Records in the database of `database_url`, sessions in the Redis of `redis_url` if there is one.

    `redis_prefix` comes before every key there. Raises SettingsError; nothing is connected to yet.
    """

    def __init__(self, database_url: str, redis_url: str = "", redis_prefix: str = "") -> None:
        self._database_url = database_url
        if not redis_url:
            self._redis = None
            self.records = SqlRecords(database_url)
            return
        try:
            # Here and not above: redis-py is an extra.
            from medusa_auth.store.redis.client import RedisClient  # noqa: PLC0415
            from medusa_auth.store.redis.sessions import SESSION_PREFIX, RedisSessions  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SettingsError("Redis needs its driver: pip install 'medusa-auth[redis]'.") from None
        redis = self._redis = RedisClient(redis_url)
        self._watched = redis_prefix + SESSION_PREFIX
        self.records = SqlRecords(
            database_url, lambda connection: RedisSessions(redis, SqlEndedSessions(connection), redis_prefix)
        )

    @property
    def named(self) -> dict[str, Pingable]:
        """By the names under which people know them."""
        return {"database": self.records} | ({} if self._redis is None else {"redis": self._redis})

    def listen(self) -> Changes:
        """Hears of every change from now on. Raises UnavailableError."""
        changes = listen(self._database_url, self.records)
        if self._redis is None:
            return changes
        from medusa_auth.store.redis.changes import RedisChanges, Watch  # noqa: PLC0415

        return _Both((changes, RedisChanges(self._redis, Watch(self._watched))))

    def close(self) -> None:
        self.records.close()
        if self._redis is not None:
            self._redis.close()


class _Both:
    """Nothing is believed unless all of them are heard."""

    def __init__(self, changes: Sequence[Changes]) -> None:
        self._changes = changes
        self.delay = max(each.delay for each in changes)

    def poll(self) -> Collection[str] | None:
        heard = [each.poll() for each in self._changes]
        if None in heard:
            return None
        return {name for names in heard for name in names or ()}

    def close(self) -> None:
        for each in self._changes:
            each.close()
