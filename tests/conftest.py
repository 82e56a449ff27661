"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from tests.databases import DatabasePool, on_each, settings_of
from tests.services.postgres import PostgresCluster, postgres_cluster
from tests.services.redis import redis_server

from medusa_auth.store.sql.migrate import migrate

MEDUSAS_TABLES = Path(__file__).parent / "data" / "medusa_tables.sql"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresCluster]:
    """The PostgreSQL of this run."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def new_postgresql(postgresql: PostgresCluster) -> Callable[[], str]:
    """Makes databases that nobody has used, with our schema."""
    migrate(postgresql.create_database("migrated"))
    numbers = count()
    return lambda: postgresql.create_database(f"test_{next(numbers)}", template="migrated")


@pytest.fixture(scope="session")
def postgresql_pool(new_postgresql: Callable[[], str]) -> DatabasePool:
    """Databases with our schema, for tests that leave it as it is."""
    return DatabasePool(new_postgresql)


@pytest.fixture(scope="session")
def new_medusa_database(postgresql: PostgresCluster) -> Callable[[], str]:
    """Makes databases with Medusa's tables, and nothing of ours."""
    with psycopg.connect(postgresql.create_database("medusas")) as connection:
        connection.execute(MEDUSAS_TABLES.read_bytes())
    numbers = count()
    return lambda: postgresql.create_database(f"medusa_{next(numbers)}", template="medusas")


@pytest.fixture(scope="session")
def new_redis() -> Iterator[Callable[[], tuple[str, str]]]:
    """The URL of a Redis of this run, and a prefix that nobody has used."""
    numbers = count()
    with redis_server() as server:
        yield lambda: (server.url, f"test-{next(numbers)}:")


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
