"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from tests.databases import on_each, settings_of
from tests.services.postgres import postgres_cluster

from medusa_auth.store.sql.migrate import migrate


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[Callable[[], str]]:
    """Makes databases that nobody has used, with our schema, on a PostgreSQL of this run."""
    numbers = count()
    with postgres_cluster() as cluster:
        migrate(cluster.create_database("migrated"))
        yield lambda: cluster.create_database(f"test_{next(numbers)}", template="migrated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_each(metafunc)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of the database of a server that a test starts: SQLite's, unless it is marked `each_database`."""
    return settings_of(request)


@pytest.fixture(scope="module")
def shared_database(request: pytest.FixtureRequest) -> dict[str, str]:
    """As `database`, for a server that the tests of a module share."""
    return settings_of(request)
