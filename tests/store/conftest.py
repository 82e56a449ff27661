from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def records(url: str) -> Iterator[SqlRecords]:
    records = SqlRecords(url)
    yield records
    records.close()
