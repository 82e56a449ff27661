"""Whether the time of an answer tells that an address is known."""

from __future__ import annotations

import statistics
import time

import httpx2

from bench.results import Table
from bench.servers import EMAIL, serving
from bench.setups import Setups

__all__ = ["enumeration"]

ASKED = {
    "login": ("/admin/auth", {"password": "not the password"}, 401),
    "password reset": ("/admin/users/password-token", {}, 204),
}


def enumeration(setups: Setups, pairs: int) -> Table:
    table = Table(
        "What an answer's time tells of an address",
        f"An answer's time for a known address, of that for an unknown one: medians of {pairs} each, asked in turns.",
        ("", "set-up", "ratio"),
    )
    for setup in setups.names:
        with (
            serving(setups.new(setup, "enumeration")) as server,
            httpx2.Client(base_url=server.url, trust_env=False) as client,
        ):
            for what, (path, body, status) in ASKED.items():
                table.add(what, setup, f"{_ratio(client, path, body, status, pairs):.3f}")
    return table


def _ratio(client: httpx2.Client, path: str, body: dict[str, str], status: int, pairs: int) -> float:
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * pairs):
        # Each pair begins with another one of the two.
        known = (turn + turn // 2) % 2
        email = EMAIL if known else f"unknown-{turn}@example.com"
        began = time.perf_counter()
        if client.post(path, json={"email": email, **body}).status_code != status:
            raise RuntimeError(f"{path} did not answer {status}")
        seconds[known].append(time.perf_counter() - began)
    return statistics.median(seconds[1]) / statistics.median(seconds[0])
