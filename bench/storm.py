"""Checks while 500 logins wait to be hashed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench.load import Load
from bench.results import Figure, Table
from bench.servers import LOGIN, login, serving
from bench.setups import Setups

__all__ = ["storm"]

LOGINS = 500
CONNECTIONS = 8
PATIENCE = 60.0


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
        table.figures[Figure.P99, setup] = meanwhile
    return table


@contextmanager
def _logging_in(url: str, statuses: Counter[int]) -> Iterator[None]:
    """All at once, in a thread; entered when they are all sent, left when they are all answered."""
    sent = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        answered = threads.submit(lambda: asyncio.run(_log_in(url, sent)))
        if not sent.wait(PATIENCE):
            raise RuntimeError("the logins could not be sent")
        yield
        statuses.update(answered.result())


async def _log_in(url: str, sent: threading.Event) -> list[int]:
    host, _, port = url.removeprefix("http://").partition(":")
    connections = [await asyncio.open_connection(host, int(port)) for _ in range(LOGINS)]
    body = json.dumps(LOGIN)
    head = f"POST /admin/auth HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    for _, writer in connections:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
    sent.set()
    answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    return [int(answer.split(maxsplit=2)[1]) for answer in answers]
