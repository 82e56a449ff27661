"""How long after an acknowledged logout another worker still answers 200."""

from __future__ import annotations

import http.client
import statistics
import time
from contextlib import closing

from bench.results import Figure, Table
from bench.servers import Server, login, serving
from bench.setups import Setups

__all__ = ["revocation"]


def revocation(setups: Setups, logouts: int) -> Table:
    table = Table(
        "A logout, seen from another server",
        f"{logouts} sessions that both of two servers remember; one ends each, and the other is asked without a pause, "
        "on all cores. From the answer to the logout to the last success elsewhere.",
        ("set-up", "median", "worst", "promised"),
    )
    for setup in setups.names:
        store = setups.new(setup, "revocation")
        with serving(store, core=None) as first, serving(store, core=None) as second:
            seconds = [_last_success(first, second) for _ in range(logouts)]
        table.add(setup, f"{statistics.median(seconds) * 1000:.1f} ms", f"{max(seconds) * 1000:.1f} ms", "1,000 ms")
        table.figures[Figure.REVOKED, setup] = max(seconds) * 1000
    return table


def _last_success(first: Server, second: Server) -> float:
    headers = dict([login(first.url)["cookie"]])
    with closing(_connect(first)) as here, closing(_connect(second)) as there:
        for connection in (here, there, here, there):
            _ask(connection, "GET", headers)
        if _ask(here, "DELETE", headers) != 200:
            raise RuntimeError("the logout was refused")
        acknowledged = last = time.perf_counter()
        while _ask(there, "GET", headers) == 200:
            last = time.perf_counter()
    return last - acknowledged


def _connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)


def _ask(connection: http.client.HTTPConnection, method: str, headers: dict[str, str]) -> int:
    connection.request(method, "/admin/auth", headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status
