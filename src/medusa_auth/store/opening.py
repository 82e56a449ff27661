"""The stores that the addresses name, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from medusa_auth.errors import SettingsError
from medusa_auth.store.base import Changes, ForeignSessions, Pingable
from medusa_auth.store.sql.changes import SqliteChanges
from medusa_auth.store.sql.ended_sessions import SqlEndedSessions
from medusa_auth.store.sql.engines import is_postgresql
from medusa_auth.store.sql.records import SessionsOf, SqlRecords

if TYPE_CHECKING:
    from medusa_auth.store.redis.client import RedisClient

__all__ = ["Sharing", "Stores"]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Another program has the same Redis and database; `life` is how long a session lives at most."""

    sessions: ForeignSessions
    life: timedelta


class Stores:
    """Records in the database of `database_url`, sessions in the Redis of `redis_url` if there is one.

    `redis_prefix` comes before every key there; `sharing` needs both. Raises SettingsError; nothing is connected to
    yet.
    """

    def __init__(
        self, database_url: str, redis_url: str = "", redis_prefix: str = "", sharing: Sharing | None = None
    ) -> None:
        self._database_url = database_url
        self._redis = _redis(redis_url, redis_prefix, sharing) if redis_url else None
        self.records = SqlRecords(database_url, self._redis.sessions if self._redis else None)

    @property
    def named(self) -> dict[str, Pingable]:
        """By the names under which people know them."""
        return {"database": self.records} | ({} if self._redis is None else {"redis": self._redis.client})

    def listen(self) -> Changes:
        """Hears of every change from now on. Raises UnavailableError."""
        changes = self._listen_to_database()
        if self._redis is None:
            return changes
        return _Both((changes, self._redis.listen()))

    def close(self) -> None:
        self.records.close()
        if self._redis is not None:
            self._redis.client.close()

    def _listen_to_database(self) -> Changes:
        if not is_postgresql(self._database_url):
            return SqliteChanges(self._database_url)
        # Here and not above: its driver is an extra.
        from medusa_auth.store.sql.postgres_changes import PostgresChanges  # noqa: PLC0415

        changes = PostgresChanges(
            self._database_url,
            end_sessions=self._redis.end_sessions if self._redis else None,
            failures=self.records.failures,
        )
        self.records.when_announced = changes.hear
        return changes


@dataclass(frozen=True, slots=True)
class _Redis:
    client: RedisClient
    sessions: Callable[[], SessionsOf]
    listen: Callable[[], Changes]
    end_sessions: Callable[[str, float], None] | None = None


def _redis(url: str, prefix: str, sharing: Sharing | None) -> _Redis:
    try:
        # Here and not above: redis-py is an extra.
        from medusa_auth.store.redis.changes import RedisChanges, Watch  # noqa: PLC0415
        from medusa_auth.store.redis.client import RedisClient  # noqa: PLC0415
        from medusa_auth.store.redis.session_search import SessionSearch  # noqa: PLC0415
        from medusa_auth.store.redis.sessions import SESSION_PREFIX, RedisSessions, Undone  # noqa: PLC0415
        from medusa_auth.store.redis.shared_sessions import SharedSessions  # noqa: PLC0415
        from medusa_auth.store.redis.shared_watch import SharedWatch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(f"Redis needs its driver ({error.name}): pip install 'medusa-auth[redis]'.") from None
    client = RedisClient(url)

    def own() -> SessionsOf:
        undone = Undone()
        return lambda connection: RedisSessions(client, SqlEndedSessions(connection), undone, prefix)

    if sharing is None:
        return _Redis(
            client,
            own,
            lambda: RedisChanges(client, Watch(prefix + SESSION_PREFIX)),
        )
    sessions, life = sharing.sessions, sharing.life

    def shared() -> SessionsOf:
        undone = Undone()
        return lambda connection: SharedSessions(client, SqlEndedSessions(connection), undone, sessions, life, prefix)

    return _Redis(
        client,
        shared,
        lambda: RedisChanges(client, SharedWatch(client, life, prefix)),
        lambda user_id, since: SessionSearch(client, sessions, life, prefix, user_id).go_on(since),
    )


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
