from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from tests.databases import DatabasePool
from tests.services.redis import redis_server, valkey_program
from tests.services.redis_groups import redis_cluster, watched_redis

from medusa_auth.server.express_sessions import ExpressSessions
from medusa_auth.store.base import Changes, Records
from medusa_auth.store.memory.changes import MemoryChanges
from medusa_auth.store.memory.records import MemoryRecords
from medusa_auth.store.opening import Sharing, Stores
from medusa_auth.store.sql.migrate import migrate
from medusa_auth.store.sql.records import SqlRecords
from medusa_auth.store.sql.shared import announce_changes


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    migrate(url)
    return url


# What every store keeps to is asked of each of these.
STORES = (
    "memory",
    "sqlite",
    "postgresql",
    "postgresql and redis",
    "postgresql and valkey",
    "shared",
    "shared, with sentinels",
    "shared, with a cluster",
)
# Where sessions are, by the fixture that makes it.
REDIS = {
    "postgresql and redis": "new_redis",
    "postgresql and valkey": "new_valkey",
    "shared": "new_redis",
    "shared, with sentinels": "new_sentinels",
    "shared, with a cluster": "new_cluster",
}
LIFE = timedelta(hours=10)


@dataclass
class Store:
    records: Records
    listen: Callable[[], Changes]
    is_shared: bool = False


@pytest.fixture(scope="module")
def new_valkey() -> Iterator[Callable[[], tuple[str, str]]]:
    """The URL of a Valkey, and a prefix that nobody has used."""
    numbers = count()
    with redis_server(executable=valkey_program()) as server:
        yield lambda: (server.url, f"test-{next(numbers)}:")


@pytest.fixture(scope="module")
def new_sentinels() -> Iterator[Callable[[], tuple[str, str]]]:
    """The URL of a Redis that Sentinels watch, and a prefix that nobody has used."""
    numbers = count()
    with watched_redis() as redis:
        yield lambda: (redis.url, f"test-{next(numbers)}:")


@pytest.fixture(scope="module")
def new_cluster() -> Iterator[Callable[[], tuple[str, str]]]:
    """The URL of a Cluster, and a prefix that nobody has used."""
    numbers = count()
    with redis_cluster() as redis:
        yield lambda: (redis.url, f"test-{next(numbers)}:")


@pytest.fixture(scope="session")
def shared_postgresql_pool(new_postgresql: Callable[[], str]) -> DatabasePool:
    """As `postgresql_pool`, for shared mode, whose trigger stays in a database."""
    return DatabasePool(new_postgresql)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """One of the stores, new and empty; who listens to it is closed with it."""
    if request.param == "memory":
        memory = MemoryRecords()
        yield Store(memory, lambda: MemoryChanges(memory))
        memory.close()
        return
    redis: tuple[str, str] = ("", "")
    is_shared = request.param.startswith("shared")
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
        migrate(url)
    else:
        kept = "shared_postgresql_pool" if is_shared else "postgresql_pool"
        url = request.getfixturevalue(kept).take(request)
    if request.param in REDIS:
        redis = request.getfixturevalue(REDIS[request.param])()
    sharing = None
    if is_shared:
        announce_changes(url)
        sharing = Sharing(ExpressSessions(LIFE, secure=False, same_site="lax"), LIFE)
    stores = Stores(url, *redis, sharing)
    with ExitStack() as stack:
        stack.callback(stores.close)

        def listen() -> Changes:
            # As another process would.
            other = Stores(url, *redis, sharing)
            stack.callback(other.close)
            changes = other.listen()
            stack.callback(changes.close)
            return changes

        yield Store(stores.records, listen, is_shared=sharing is not None)


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    records = SqlRecords(url)
    yield records
    records.close()
