"""Servers whose database can be taken away, and a store beside them that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.faults.servers import Store, store_of
from tests.server.conftest import password_hash  # noqa: F401 - pytest finds it here


@pytest.fixture(scope="module")
def store(
    new_postgresql: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    password_hash: str,  # noqa: F811 - the fixture
) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("store")
    with store_of(folder, new_postgresql(), password_hash) as store:
        yield store
