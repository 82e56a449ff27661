"""Servers of ours on real sockets, with a clock that tests move."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.databases import SETUPS, settings_of
from tests.server.helpers import PASSWORD, Clock, Running, admin, serving

from medusa_auth.core.passwords import Argon2id
from medusa_auth.server.app import Parts, create_app
from medusa_auth.settings import from_env

Start = Callable[..., Running]


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Argon2id costs 20 ms: once for all tests is enough."""
    return Argon2id().hash(PASSWORD)


@contextlib.contextmanager
def starting(folder: Path, password_hash: str, database: dict[str, str]) -> Iterator[Start]:
    """Starts servers on one data folder and database; the settings are given as environment variables."""
    with contextlib.ExitStack() as stack:

        def start(port: int = 0, **environ: str) -> Running:
            clock = Clock()
            settings = from_env(database | environ, data_dir=folder)
            parts = Parts.of(settings, clock=clock)
            stack.callback(parts.close)
            user = admin(parts, password_hash)
            url = stack.enter_context(serving(create_app(settings, clock=clock), port))
            return Running(url, parts, clock, user, clients=stack)

        yield start


@pytest.fixture(params=SETUPS)
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """All servers of this folder are tested on each; those of other folders where a test is marked so."""
    return settings_of(request)


@pytest.fixture(scope="module", params=SETUPS)
def shared_database(request: pytest.FixtureRequest) -> dict[str, str]:
    return settings_of(request)


@pytest.fixture
def start(tmp_path: Path, password_hash: str, database: dict[str, str]) -> Iterator[Start]:
    with starting(tmp_path / "data", password_hash, database) as start:
        yield start


@pytest.fixture
def server(start: Start) -> Running:
    return start()


@pytest.fixture(scope="module")
def shared_start(
    tmp_path_factory: pytest.TempPathFactory, password_hash: str, shared_database: dict[str, str]
) -> Iterator[Start]:
    """For tests that neither move the clock nor change a user: a start costs a third of a second."""
    with starting(tmp_path_factory.mktemp("server") / "data", password_hash, shared_database) as start:
        yield start


@pytest.fixture(scope="module")
def shared_server(shared_start: Start) -> Running:
    return shared_start()
