"""What a supervisor is told at the very moment at which it starts a worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.server.helpers import admin, run

from medusa_auth.core.passwords import Argon2id
from medusa_auth.model import User
from medusa_auth.server.app import Parts
from medusa_auth.server.key_changes import KeyChanges
from medusa_auth.server.supervisor import Supervisor
from medusa_auth.settings import DATA_DIR_VARIABLE, Settings, from_env

START_SECONDS = 60.0


@dataclass
class Told:
    """A supervisor of one worker; `at_start` is called while the worker is being started, before it is one."""

    supervisor: Supervisor
    settings: Settings
    user: User
    url: str
    at_start: Callable[[], None]

    def statuses(self) -> list[int]:
        """Of a token of each key: the one that there was at first, and the one that is in the file now."""
        statuses = []
        for settings in (self.settings, from_env()):
            with closing(Parts.of(settings)) as parts:
                token = run(
                    lambda: parts.records.write(lambda tx: parts.access_tokens.issue(tx, self.user, parts.clock()))
                )
            headers = {"Authorization": f"Bearer {token}"}
            statuses.append(httpx2.get(f"{self.url}/admin/auth", headers=headers).status_code)
        return statuses


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path))
    settings = from_env()
    with closing(Parts.of(settings)) as parts:
        user = admin(parts, Argon2id().hash("correct horse battery staple"))
    listening = socket.create_server(("127.0.0.1", 0))
    supervisor = Supervisor(listening, 1, KeyChanges(settings))
    told = Told(supervisor, settings, user, f"http://127.0.0.1:{listening.getsockname()[1]}", lambda: None)
    connect = asyncio.open_connection

    async def connect_and_tell(**options):
        told.at_start()
        return await connect(**options)

    monkeypatch.setattr(asyncio, "open_connection", connect_and_tell)
    return told


def test_keys_that_are_replaced_while_a_worker_is_being_started_are_the_workers(told: Told, tmp_path: Path):
    def replace_key() -> None:
        (tmp_path / "jwt-secret").write_text("n" * 40)
        told.supervisor._reload()

    async def serve() -> list[int]:
        async with asyncio.timeout(START_SECONDS):
            serving = asyncio.create_task(told.supervisor.run())
            while not told.supervisor._has_served:
                await asyncio.sleep(0.02)
            statuses = await asyncio.to_thread(told.statuses)
            told.supervisor._told_to_end()
            assert await serving == 0
        return statuses

    told.at_start = replace_key
    assert asyncio.run(serve()) == [401, 200]


def test_a_supervisor_that_is_told_to_end_while_it_starts_a_worker_ends_in_good_order(told: Told):
    async def serve() -> int:
        async with asyncio.timeout(START_SECONDS):
            return await told.supervisor.run()

    told.at_start = told.supervisor._told_to_end
    assert asyncio.run(serve()) == 0
