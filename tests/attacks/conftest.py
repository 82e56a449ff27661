"""Servers to attack: one in a thread with a clock that tests move, and one of two processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.attacks.siege import RealClock
from tests.cli.test_cli import serving as serving_in_processes
from tests.server.conftest import (  # noqa: F401 - pytest finds them here
    password_hash,
    server,
    shared_server,
    shared_start,
    start,
)
from tests.server.helpers import Running, admin

from medusa_auth.server.app import Parts
from medusa_auth.settings import from_env


@pytest.fixture(scope="module")
def workers(
    tmp_path_factory: pytest.TempPathFactory,
    password_hash: str,  # noqa: F811 - the fixture
    shared_database: dict[str, str],
) -> Iterator[Running]:
    """`medusa-auth serve --workers 2`, with an administrator."""
    folder = tmp_path_factory.mktemp("workers")
    with contextlib.ExitStack() as stack:
        parts = Parts.of(from_env(shared_database, data_dir=folder / "data"))
        stack.callback(parts.close)
        user = admin(parts, password_hash)
        url, _, _ = stack.enter_context(serving_in_processes(folder, "--workers", "2", **shared_database))
        yield Running(url, parts, RealClock(), user, clients=stack)
