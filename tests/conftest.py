"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from tests.services.postgres import postgres_cluster
from tests.services.redis import redis_server

from medusa_auth.store.sql.migrate import migrate


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[Callable[[], str]]:
    """Makes databases that nobody has used, with our schema, on a PostgreSQL of this run."""
    numbers = count()
    with postgres_cluster() as cluster:
        migrate(cluster.create_database("migrated"))
        yield lambda: cluster.create_database(f"test_{next(numbers)}", template="migrated")


@pytest.fixture(scope="session")
def new_redis() -> Iterator[Callable[[], tuple[str, str]]]:
    """The URL of a Redis of this run, and a prefix that nobody has used."""
    numbers = count()
    with redis_server() as server:
        yield lambda: (server.url, f"test-{next(numbers)}:")


@pytest.fixture
def database() -> dict[str, str]:
    """The settings of the database of a server that a test starts: SQLite, in the server's data folder."""
    return {}


@pytest.fixture(scope="module")
def shared_database() -> dict[str, str]:
    """As `database`, for a server that the tests of a module share."""
    return {}
