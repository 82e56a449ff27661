"""Checks beside bare applications, on each set-up, from the cache and past it; logins; the start, and the memory."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from bench.cores import SERVER_CORE
from bench.load import Load
from bench.results import Table
from bench.seed import fill
from bench.servers import LOGIN, Server, bare, login, many, serving
from bench.setups import Setups

__all__ = ["MANY", "UNCACHED", "checks", "logins", "two_workers"]

STARLETTE, UVICORN = "bare Starlette", "bare uvicorn"
UNCACHED = {"MEDUSA_AUTH_IDENTITIES_CACHED": "0"}
# Credentials that take turns, so that each check asks the store for itself.
MANY = 500


def checks(setups: Setups, load: Load) -> Table:
    table = Table(
        "Checks, beside a bare application",
        "`GET /admin/auth` with a good credential, one worker on one core. Beside it the same 300 bytes of JSON from "
        "an application that checks nothing. *From the cache* is the usual case; *past it*, each check asks the store.",
        ("", "set-up", "a second", "of bare Starlette", "rounds", "of bare uvicorn"),
    )
    with contextlib.ExitStack() as stack:
        subjects: dict[str, Callable[[], float]] = {}
        for name, application in ((STARLETTE, "starlette"), (UVICORN, "uvicorn")):
            subjects[name] = partial(load.checks, stack.enter_context(bare(application)).url)
        described: dict[str, tuple[str, str]] = {}
        for setup in setups.names:
            store = setups.new(setup, f"checks-{len(subjects)}")
            fill(store, 0, MANY)
            cached = stack.enter_context(serving(store)).url
            uncached = stack.enter_context(serving(store, environ=UNCACHED)).url
            for kind, header in login(cached).items():
                described[f"{setup} {kind}"] = (f"by {kind}, from the cache", setup)
                subjects[f"{setup} {kind}"] = partial(load.checks, cached, header)
                described[f"{setup} {kind} past"] = (f"by {kind}, past it", setup)
                subjects[f"{setup} {kind} past"] = partial(load.checks_of, uncached, many(kind, MANY))
        rates = load.in_turns(subjects)
        for name in (STARLETTE, UVICORN):
            table.add(name, "", f"{rates.median(name):,.0f}", f"{rates.ratio(name, STARLETTE):.2f}", "", "")
        for name, (what, setup) in described.items():
            table.add(
                what,
                setup,
                f"{rates.median(name):,.0f}",
                f"{rates.ratio(name, STARLETTE):.2f}",
                rates.spread(name, STARLETTE),
                f"{rates.ratio(name, UVICORN):.2f}",
            )
    return table


def two_workers(setups: Setups, load: Load) -> Table:
    table = Table(
        "One worker and two",
        "Checks by cookie from the cache, on all cores, which the load and the stores share: two workers "
        "on a machine of two cores have less than two cores.",
        ("set-up", "one worker, a second", "two workers, a second", "ratio"),
    )
    for setup in setups.names:
        store = setups.new(setup, "workers")
        with serving(store, core=None) as one, serving(store, workers=2, core=None) as two:
            subjects = {
                name: partial(load.checks, server.url, login(server.url)["cookie"])
                for name, server in (("one", one), ("two", two))
            }
            rates = load.in_turns(subjects)
        table.add(
            setup, f"{rates.median('one'):,.0f}", f"{rates.median('two'):,.0f}", f"{rates.ratio('two', 'one'):.2f}"
        )
    return table


def logins(setups: Setups, load: Load) -> Table:
    table = Table(
        "Logins, the start and the memory",
        "`POST /admin/auth`, four at once, one worker on one core, beside what the same core makes of argon2id "
        "(19 MiB, t=2, p=1) one after another and without a server. Memory is resident, in MB: after the start, and "
        "after the logins.",
        ("set-up", "logins a second", "of the core's argon2id", "start to first answer", "memory"),
    )
    for setup in setups.names:
        with serving(setups.new(setup, "logins")) as server:
            idle = server.resident_megabytes()
            rates = load.in_turns({"logins": partial(load.logins, server.url, LOGIN), "argon2id": _hashes_per_second})
            table.add(
                setup,
                f"{rates.median('logins'):.1f}",
                f"{rates.ratio('logins', 'argon2id'):.2f}",
                f"{server.start:.2f} s",
                _memory(idle, server),
            )
    return table


def _memory(idle: float, server: Server) -> str:
    return f"{idle:.0f}, then {server.resident_megabytes():.0f}"


def _hashes_per_second() -> float:
    program = (
        "import time\n"
        "from medusa_auth.core.passwords import Argon2id\n"
        "hasher = Argon2id(); hasher.hash('a password'); began = time.perf_counter()\n"
        "for _ in range(50): hasher.hash('a password')\n"
        "print(50 / (time.perf_counter() - began))\n"
    )
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", program]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
