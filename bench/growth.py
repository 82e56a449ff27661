"""A thousand users and sessions, and a million: what each costs more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial

from bench.checks import UNCACHED
from bench.load import Load
from bench.results import Figure, Table
from bench.seed import bytes_per_session, fill
from bench.servers import LOGIN, login, many, serving
from bench.setups import Setups

__all__ = ["growth"]

FEW = 1_000


def growth(setups: Setups, load: Load, most: int) -> Table:
    table = Table(
        f"From {FEW:,} users and sessions to {most:,}",
        "What one request costs with the many, of its cost with the few; both servers run at the same time and take "
        "turns. *Past the cache* each check asks the store.",
        ("set-up", "check, from the cache", "check, past it", "login", "bytes a session", "filled in"),
    )
    for setup in setups.names:
        with contextlib.ExitStack() as stack:
            subjects: dict[str, Callable[[], float]] = {}
            filled, size = 0.0, 0.0
            for label, count in (("few", FEW), ("many", most)):
                store = setups.new(setup, f"growth-{label}")
                began = time.perf_counter()
                fill(store, 0, count)
                filled, size = time.perf_counter() - began, bytes_per_session(store, count)
                cached = stack.enter_context(serving(store)).url
                uncached = stack.enter_context(serving(store, environ=UNCACHED)).url
                subjects[f"{label} cached"] = partial(load.checks, cached, login(cached)["cookie"])
                subjects[f"{label} uncached"] = partial(load.checks_of, uncached, many("cookie", FEW, count))
                subjects[f"{label} login"] = partial(load.logins, cached, LOGIN)
            rates = load.in_turns(subjects)
        costs = {
            what: rates.ratio(f"few {kind}", f"many {kind}")
            for kind, what in (("cached", "check, from the cache"), ("uncached", "check, past it"), ("login", "login"))
        }
        table.add(setup, *(f"{cost:.2f}" for cost in costs.values()), f"{size:.0f}", f"{filled:.0f} s")
        table.figures.update({(Figure.GROWTH, f"{setup}, {what}"): cost for what, cost in costs.items()})
        table.figures[Figure.SESSION_BYTES, setup] = size
    return table
