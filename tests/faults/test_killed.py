"""Processes are killed while twenty write: what was acknowledged is there, what was revoked stays so."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.servers import SECRETS, Headers, Server, serving_with, until
from tests.faults.writers import Writing, writing
from tests.server.helpers import admin, run
from tests.services.postgres import postgres_cluster
from tests.services.process import free_port

from medusa_auth.server.app import Parts
from medusa_auth.settings import from_env

# Seconds, until a write is acknowledged again.
BACK_WITHIN = 5.0
LOST = {"ConnectionResetError", "RemoteDisconnected", "ConnectionRefusedError", "BrokenPipeError"}


@dataclass
class Place:
    """Where a server can be started again and again, with a store that stays."""

    folder: Path
    settings: dict[str, str]
    parts: Parts
    api_key: Headers

    @contextmanager
    def served(self, *arguments: str) -> Iterator[Server]:
        with serving_with(self.folder, self.settings, "--workers", "2", *arguments) as server:
            yield server


@contextmanager
def place(folder: Path, database: dict[str, str], password_hash: str) -> Iterator[Place]:
    settings = SECRETS | database
    parts = Parts.of(from_env(settings, data_dir=folder / "data"))
    try:
        user = admin(parts, password_hash)
        token, _ = run(lambda: parts.records.write(lambda tx: parts.api_tokens.issue(tx, user, "test", parts.clock())))
        yield Place(folder, settings, parts, {"x-medusa-access-token": token})
    finally:
        parts.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, password_hash: str) -> Iterator[Place]:
    url = {} if request.param == "sqlite" else {"DATABASE_URL": request.getfixturevalue("new_postgresql")()}
    with place(tmp_path, url, password_hash) as shop:
        yield shop


def told(written: Writing) -> str:
    doubted = sum(story.or_else is not None for story in written.stories)
    return f"{len(written.stories)} stories, {doubted} in doubt, {written.steps} steps, {dict(written.statuses)}"


def test_workers_that_are_killed_take_no_acknowledged_write_with_them(shop: Place):
    with shop.served() as server, writing(server, shop.parts, shop.api_key) as written:
        for _ in range(6):
            # In the middle of whatever it does.
            time.sleep(random.uniform(0, 0.3))
            os.kill(random.choice(sorted(server.workers())), signal.SIGKILL)
            written.goes_on()
        written.end()
        print(told(written))
        assert set(written.statuses) <= {200, 503} | LOST
        until(server.is_ready, "not ready")
        written.check()


def test_a_server_that_is_killed_takes_no_acknowledged_write_with_it(shop: Place):
    port = str(free_port())
    with ExitStack() as stack:
        server = stack.enter_context(shop.served("--port", port))
        written = stack.enter_context(writing(server, shop.parts, shop.api_key))
        for _ in range(3):
            time.sleep(random.uniform(0, 0.3))
            os.killpg(server.process.pid, signal.SIGKILL)
            server = stack.enter_context(shop.served("--port", port))
            written.goes_on()
        written.end()
        print(told(written))
        assert set(written.statuses) <= {200, 503} | LOST
        written.check()


def test_a_postgresql_that_is_killed_takes_no_acknowledged_write_with_it(tmp_path: Path, password_hash: str):
    with (
        postgres_cluster(durable=True) as cluster,
        place(tmp_path, {"DATABASE_URL": cluster.create_database("shop")}, password_hash) as shop,
        shop.served() as server,
        writing(server, shop.parts, shop.api_key) as written,
    ):
        pids = server.workers()
        for _ in range(3):
            time.sleep(random.uniform(0, 0.3))
            cluster.kill()
            before = written.statuses[503]
            until(lambda: written.statuses[503] >= before + 40, "not 503")  # noqa: B023
            cluster.start()
            took = written.goes_on(1)
            print(f"a write was acknowledged {took:.2f} s after PostgreSQL answered")
            assert took < BACK_WITHIN
            written.goes_on()
        written.end()
        print(told(written))
        assert set(written.statuses) == {200, 503}
        assert server.workers() == pids
        written.check()
