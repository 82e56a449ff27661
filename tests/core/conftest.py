from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core.house import House
from tests.core.tools import CountingRecords


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture
def records(house: House) -> CountingRecords:
    return CountingRecords(house.records)
