"""The set-ups that a server is tested on: for each, the settings that it is started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

SetUp = Callable[[pytest.FixtureRequest], dict[str, str]]


def _sqlite(_: pytest.FixtureRequest) -> dict[str, str]:
    """In the server's data folder."""
    return {}


def _postgresql(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"DATABASE_URL": request.getfixturevalue("new_postgresql")()}


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
