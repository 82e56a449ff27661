"""Checks while 500 logins wait to be hashed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from bench.load import Load
from bench.results import Table
from bench.servers import LOGIN, login, serving
from bench.setups import Setups

__all__ = ["storm"]

LOGINS = 500
CONNECTIONS = 8


def storm(setups: Setups, load: Load) -> Table:
    table = Table(
        f"Checks while {LOGINS} logins are queued",
        f"One worker on all cores, with room for {LOGINS} logins in its queue; {CONNECTIONS} connections check "
        "by cookie. The 99th percentile; of several rounds the worst.",
        ("set-up", "p99 alone", "p99 meanwhile", "logins answered"),
    )
    for setup in setups.names:
        environ = {"MEDUSA_AUTH_HASHING_QUEUE": str(LOGINS)}
        with serving(setups.new(setup, "storm"), core=None, environ=environ) as server:
            cookie = login(server.url)["cookie"]
            alone = load.slowest(server.url, cookie, connections=CONNECTIONS)
            meanwhile, statuses = 0.0, Counter[int]()
            for _ in range(load.rounds):
                with _logging_in(server.url, statuses):
                    meanwhile = max(meanwhile, load.slowest(server.url, cookie, connections=CONNECTIONS))
        answered = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
        table.add(setup, f"{alone:.1f} ms", f"{meanwhile:.1f} ms", answered)
    return table


@contextmanager
def _logging_in(url: str, statuses: Counter[int]) -> Iterator[None]:
    """All at once, in a thread; left when they are all answered."""
    thread = threading.Thread(target=lambda: statuses.update(asyncio.run(_log_in(url))))
    thread.start()
    time.sleep(0.3)
    yield
    thread.join()


async def _log_in(url: str) -> list[int]:
    limits = httpx2.Limits(max_connections=LOGINS)
    async with httpx2.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as client:
        answers = await asyncio.gather(*(client.post("/admin/auth", json=LOGIN) for _ in range(LOGINS)))
    return [answer.status_code for answer in answers]
