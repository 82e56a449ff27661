"""The set-ups that a server is tested on: for each, the settings that it is started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from medusa_auth.store.sql.tables import metadata

_END_OTHERS: LiteralString = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class DatabasePool:
    """PostgreSQL databases with our schema, made by `new`: one that is given back is emptied, which costs a hundredth.

    Not for a test that changes the schema.
    """

    def __init__(self, new: Callable[[], str]) -> None:
        self._new = new
        self._free: list[str] = []

    def take(self, request: pytest.FixtureRequest) -> str:
        """The address of an empty one, until the fixture or test of `request` ends."""
        url = self._free.pop() if self._free else self._new()
        request.addfinalizer(lambda: self._release(url))
        return url

    def _release(self, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_END_OTHERS)
            # Whatever the order of the tables, and with no trigger.
            connection.execute("SET session_replication_role = replica")
            for table in metadata.tables:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        self._free.append(url)


SetUp = Callable[[pytest.FixtureRequest], dict[str, str]]


def _sqlite(_: pytest.FixtureRequest) -> dict[str, str]:
    """In the server's data folder."""
    return {}


def _postgresql(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"DATABASE_URL": request.getfixturevalue("postgresql_pool").take(request)}


def _postgresql_and_redis(request: pytest.FixtureRequest) -> dict[str, str]:
    url, prefix = request.getfixturevalue("new_redis")()
    return _postgresql(request) | {"REDIS_URL": url, "MEDUSA_AUTH_REDIS_PREFIX": prefix}


SETUPS: Mapping[str, SetUp] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "postgresql and redis": _postgresql_and_redis,
}


def settings_of(request: pytest.FixtureRequest) -> dict[str, str]:
    """Those of the fixture's parameter, a name of `SETUPS`; SQLite's if it has none."""
    return SETUPS[getattr(request, "param", "sqlite")](request)


# Put on a module or a test: it runs on each of them, once for every fixture of these names that it uses.
each_database = pytest.mark.each_database
FIXTURES = ("database", "shared_database")


def on_each(metafunc: pytest.Metafunc) -> None:
    """Gives a test that is marked so its parameters, unless it names its own."""
    if metafunc.definition.get_closest_marker(each_database.name) is None:
        return
    named = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    for fixture in FIXTURES:
        if fixture in metafunc.fixturenames and fixture not in named:
            metafunc.parametrize(fixture, SETUPS, indirect=True)
