from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from medusa_auth.store.base import Changes, Records
from medusa_auth.store.memory.changes import MemoryChanges
from medusa_auth.store.memory.records import MemoryRecords
from medusa_auth.store.opening import Stores
from medusa_auth.store.sql.migrate import migrate
from medusa_auth.store.sql.records import SqlRecords


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
STORES = ("memory", "sqlite", "postgresql", "postgresql and redis")


@dataclass
class Store:
    records: Records
    listen: Callable[[], Changes]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """One of the stores, new and empty; who listens to it is closed with it."""
    if request.param == "memory":
        memory = MemoryRecords()
        yield Store(memory, lambda: MemoryChanges(memory))
        memory.close()
        return
    redis: tuple[str, str] = ("", "")
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
        migrate(url)
    else:
        url = request.getfixturevalue("new_postgresql")()
    if request.param == "postgresql and redis":
        redis = request.getfixturevalue("new_redis")()
    stores = Stores(url, *redis)
    with ExitStack() as stack:
        stack.callback(stores.close)

        def listen() -> Changes:
            # As another process would.
            other = Stores(url, *redis)
            stack.callback(other.close)
            changes = other.listen()
            stack.callback(changes.close)
            return changes

        yield Store(stores.records, listen)


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    records = SqlRecords(url)
    yield records
    records.close()
