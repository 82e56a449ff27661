from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from medusa_auth.store.base import Changes, Records
from medusa_auth.store.sql.changes import SqliteChanges
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


def open_sqlite(folder: Path) -> tuple[Records, Callable[[], Changes]]:
    """A new store, and what opens another ear to it."""
    url = f"sqlite:///{folder / 'test.db'}"
    migrate(url)
    return SqlRecords(url), lambda: SqliteChanges(url)


# What every store keeps to is asked of each of these.
STORES = {"sqlite": open_sqlite}


@dataclass
class Store:
    records: Records
    listen: Callable[[], Changes]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """One of the stores, new and empty; who listens to it is closed with it."""
    records, open_changes = STORES[request.param](tmp_path)
    with ExitStack() as stack:
        stack.callback(records.close)

        def listen() -> Changes:
            changes = open_changes()
            stack.callback(changes.close)
            return changes

        yield Store(records, listen)


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    records = SqlRecords(url)
    yield records
    records.close()
