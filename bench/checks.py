"""Checks beside bare applications, on each set-up, from the cache and past it; logins; the start, and the memory."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.cores import SERVER_CORE
from bench.load import Load
from bench.results import Figure, Table
from bench.seed import fill
from bench.servers import LOGIN, Server, api_tokens, bare, login, many, serving
from bench.setups import Setups

__all__ = ["API_TOKEN", "MANY", "UNCACHED", "checks", "logins", "two_workers"]

API_TOKEN = "API token"
STARLETTE, UVICORN = "bare Starlette", "bare uvicorn"
UNCACHED = {"MEDUSA_AUTH_IDENTITIES_CACHED": "0"}
# Credentials that take turns, so that each check asks the store for itself.
MANY = 500


def checks(setups: Setups, load: Load) -> Table:
    table = Table(
        "Checks, beside a bare application",
        "`GET /admin/auth` with a good credential, one worker on one core. Beside it the same 300 bytes of JSON from "
        "an application that checks nothing. *From the cache* is the usual case; *past it*, each check asks the store. "
        "Counted in the server's own time on its core: what else runs there is not in it, nor what the store does.",
        ("", "set-up", "a second of the core", "of bare Starlette", "rounds", "of bare uvicorn"),
    )
    with contextlib.ExitStack() as stack:
        subjects: dict[str, Callable[[], float]] = {}
        for name, application in ((STARLETTE, "starlette"), (UVICORN, "uvicorn")):
            beside = stack.enter_context(bare(application))
            subjects[name] = load.of_core(beside.cpu_seconds, partial(load.checks, beside.url))
        found: list[_Check] = []
        for setup in setups.names:
            store = setups.new(setup, f"checks-{len(subjects)}")
            fill(store, 0, MANY)
            cached = stack.enter_context(serving(store))
            uncached = stack.enter_context(serving(store, environ=UNCACHED))
            tokens = api_tokens(store, MANY)
            for kind, header in (login(cached.url) | {API_TOKEN: tokens[0]}).items():
                hit, miss = _Check(setup, kind, past=False), _Check(setup, kind, past=True)
                subjects[hit.name] = load.of_core(cached.cpu_seconds, partial(load.checks, cached.url, header))
                credentials = tokens if kind == API_TOKEN else many(kind, MANY)
                asked = partial(load.checks_of, uncached.url, credentials)
                subjects[miss.name] = load.of_core(uncached.cpu_seconds, asked)
                found += [hit, miss]
        rates = load.in_turns(subjects)
    for name in (STARLETTE, UVICORN):
        table.add(name, "", f"{rates.median(name):,.0f}", f"{rates.ratio(name, STARLETTE):.2f}", "", "")
    for check in found:
        each, ratio = rates.median(check.name), rates.ratio(check.name, STARLETTE)
        of_uvicorn = f"{rates.ratio(check.name, UVICORN):.2f}"
        spread = rates.spread(check.name, STARLETTE)
        table.add(check.what, check.setup, f"{each:,.0f}", f"{ratio:.2f}", spread, of_uvicorn)
        if check.kind == "cookie":
            table.figures[Figure.MISSES if check.past else Figure.CHECKS, check.setup] = each
        if not check.past:
            table.figures[Figure.OF_STARLETTE, check.name] = ratio
    return table


@dataclass(frozen=True)
class _Check:
    setup: str
    kind: str
    past: bool

    @property
    def what(self) -> str:
        return f"by {self.kind}, {'past it' if self.past else 'from the cache'}"

    @property
    def name(self) -> str:
        return f"{self.setup}, {self.what}"


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
            table.figures[Figure.LOGINS, setup] = rates.median("logins")
            table.figures[Figure.START, setup] = server.start
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
