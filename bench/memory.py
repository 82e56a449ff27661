"""What a remembered identity takes."""

from __future__ import annotations

import http.client
from contextlib import closing

from bench.checks import UNCACHED
from bench.results import Figure, Table
from bench.seed import fill
from bench.servers import Server, many, serving
from bench.setups import Setups

__all__ = ["memory"]


def memory(setups: Setups, count: int) -> Table:
    table = Table(
        "Memory of a worker",
        f"Resident, in MB: after the start, after one check each of {count:,} sessions that are not remembered, and "
        "after one of each that are.",
        ("set-up", "start", "not remembered", "remembered", "bytes an identity"),
    )
    for setup in setups.names:
        store = setups.new(setup, "memory")
        fill(store, 0, count)
        with serving(store, environ=UNCACHED) as server:
            start = server.resident_megabytes()
            _check(server, count)
            forgotten = server.resident_megabytes()
        with serving(store, environ={"MEDUSA_AUTH_IDENTITIES_CACHED": str(count)}) as server:
            _check(server, count)
            remembered = server.resident_megabytes()
        each = (remembered - forgotten) * 1024 * 1024 / count
        table.add(setup, f"{start:.0f}", f"{forgotten:.0f}", f"{remembered:.0f}", f"{each:,.0f}")
        table.figures[Figure.RESIDENT, setup] = start
        table.figures[Figure.IDENTITY_BYTES, setup] = each
    return table


def _check(server: Server, count: int) -> None:
    """Each once, over one connection."""
    with closing(http.client.HTTPConnection(server.url.removeprefix("http://"))) as connection:
        for name, value in many("cookie", count):
            connection.request("GET", "/admin/auth", headers={name: value})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a session was answered {answer.status}")
