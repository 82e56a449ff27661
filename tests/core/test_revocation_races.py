"""Checks without pause in this process, revocations in another: none asked after the acknowledgement is good.

A check is asked when it is queued. Those that are in the queue when the first of a turn of the event loop asks share
what it heard; see `Identities._listen`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import anyio
import pytest
from tests.core.house import EMAIL, PASSWORD, House

from medusa_auth.core.identities import SHARED_WITHIN, Credential, Identities
from medusa_auth.model import Method

pytestmark = pytest.mark.anyio

# Ends what it reads from its input, a line each, and acknowledges each with a line when it is committed.
REVOKER = """
import sys, anyio
from datetime import datetime, timedelta, UTC
from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.store.sql.records import SqlRecords

NOW = datetime.fromisoformat(sys.argv[2])
sessions = Sessions(SessionRules(timedelta(hours=10), timedelta(hours=1)))
tokens = AccessTokens(["k" * 32], Claims("user_id", {"domain": "admin"}), timedelta(hours=24))

async def main():
    records = SqlRecords(sys.argv[1])
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        kind, what = line.split()
        if kind == "session":
            await records.write(lambda tx: sessions.end(tx, what, NOW))
        else:
            await records.write(lambda tx: tokens.revoke(tx, tokens.verify(what, NOW), NOW))
        print("done", flush=True)
    records.close()

anyio.run(main)
"""


class Revoker:
    """The other process; `end` returns when it has acknowledged."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def end(self, credential: Credential) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{credential.method} {credential.presented}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@contextmanager
def _revoking(house: House) -> Iterator[Revoker]:
    command = [sys.executable, "-c", REVOKER, house.url, house.now.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield Revoker(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


async def _hammer(house: House, identities: Identities, revoker: Revoker, credential: Credential) -> int:
    """How many checks were good before the end, with four who check all the time."""
    acknowledged = threading.Event()
    good = 0

    def end() -> None:
        revoker.end(credential)
        acknowledged.set()

    async def check_until_refused() -> None:
        nonlocal good
        while True:
            # As a request that arrives now: it waits for its turn behind those that are there already.
            was_acknowledged = acknowledged.is_set()
            await anyio.lowlevel.checkpoint()
            if not await house.is_good(identities, credential):
                return
            good += 1
            assert not was_acknowledged, "good although it was asked after the end was acknowledged"

    assert await house.is_good(identities, credential)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(check_until_refused)
            await anyio.to_thread.run_sync(end)
    assert not await house.is_good(identities, credential)
    return good


@pytest.mark.asvs("7.4.1")
@pytest.mark.asvs("15.4.1")
@pytest.mark.parametrize("capacity", [0, 100])
async def test_no_check_is_good_after_another_process_has_acknowledged_the_end(house: House, capacity: int):
    await house.add_user()
    identities, good = house.identities(capacity), 0
    with _revoking(house) as revoker:
        for _ in range(8):
            token = await house.login.issue_token(EMAIL, PASSWORD, house.now)
            session = Credential(Method.SESSION, await house.sign_in())
            for credential in (session, Credential(Method.ACCESS_TOKEN, token)):
                good += await _hammer(house, identities, revoker, credential)
    # The race took place: there were checks while the other process was writing.
    assert good > 0


async def test_what_is_queued_before_the_first_of_a_turn_asks_shares_its_answer_and_what_is_queued_later_does_not(
    house: House,
):
    await house.add_user()
    identities, credential = house.identities(), Credential(Method.SESSION, await house.sign_in())
    assert await house.is_good(identities, credential)
    await anyio.lowlevel.checkpoint()
    later: list[asyncio.Task[bool]] = []

    def queue() -> asyncio.Task[bool]:
        return asyncio.create_task(house.is_good(identities, credential))

    async def first_and_then_the_end() -> bool:
        good = await house.is_good(identities, credential)
        _end_all(house)
        later.append(queue())
        return good

    first, together = asyncio.create_task(first_and_then_the_end()), queue()
    assert [await first, await together, await later[0]] == [True, True, False]


async def test_a_turn_in_which_the_process_stood_still_shares_no_answer_from_before(house: House):
    await house.add_user()
    identities, credential = house.identities(), Credential(Method.SESSION, await house.sign_in())
    assert await house.is_good(identities, credential)
    await anyio.lowlevel.checkpoint()

    async def first_and_then_nothing_for_a_while() -> bool:
        good = await house.is_good(identities, credential)
        _end_all(house)
        time.sleep(SHARED_WITHIN)
        return good

    first = asyncio.create_task(first_and_then_nothing_for_a_while())
    together = asyncio.create_task(house.is_good(identities, credential))
    assert [await first, await together] == [True, False]


def _end_all(house: House) -> None:
    """Within the same turn of the event loop, which waits for this process."""
    with closing(sqlite3.connect(house.folder / "test.db")) as other, other:
        other.execute("DELETE FROM auth_session")
        other.execute("INSERT INTO auth_change (user_id, at) SELECT id, created_at FROM user")
