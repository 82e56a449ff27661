"""Beside a real Medusa 1.20 on the same machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import httpx2
from tests.medusa.real_medusa import real_medusa

from bench.checks import API_TOKEN, MANY, UNCACHED
from bench.cores import LOAD_CORE, SERVER_CORE, cpu_seconds, move, running
from bench.load import Header, Load
from bench.results import Figure, Table
from bench.seed import fill
from bench.servers import LOGIN, api_tokens, login, many, serving
from bench.setups import Setups

__all__ = ["beside_medusa"]

HTTPS = ("X-Forwarded-Proto", "https")
JWT_SECRET, COOKIE_SECRET = "a secret for the tokens of Medusa's", "and one for the cookies of Medusa's"


def beside_medusa(setups: Setups, load: Load) -> Table:
    table = Table(
        "Beside a real Medusa 1.20.11",
        "The same requests to both, one process on one core each, with its stores on another; Medusa with "
        "`NODE_ENV=production`. Counted in the server's own time on its core, as above: that Medusa waits for its "
        "stores does not count against it, nor do its first rounds. A login here costs argon2id with 19 MiB; one at "
        "Medusa costs scrypt with N=2, which is no protection of a password: the two are not the same work.",
        ("", "set-up", "Medusa, a second of the core", "here", "ratio", "rounds"),
    )
    with contextlib.ExitStack() as stack:
        real = stack.enter_context(
            real_medusa(node_env="production", jwt_secret=JWT_SECRET, cookie_secret=COOKIE_SECRET)
        )
        move("node", SERVER_CORE)
        move("postgres", LOAD_CORE)
        move("redis-server", LOAD_CORE)
        subjects: dict[str, Callable[[], float]] = {}
        of_medusa = partial(load.of_core, partial(cpu_seconds, *running("node")))
        theirs = login(real.base_url, real.login, [HTTPS])
        api_token = ("x-medusa-access-token", "a token of the bench's, as long as one is")
        _set_api_token(real.base_url, theirs["cookie"], api_token[1])
        for kind, header in (theirs | {API_TOKEN: api_token}).items():
            subjects[f"Medusa {kind}"] = of_medusa(partial(load.checks, real.base_url, header))
        logins = partial(load.logins, real.base_url, real.login, HTTPS)
        subjects["Medusa login"] = of_medusa(logins)
        # Node compiles what is used often: what it costs before that is nobody's daily bread.
        load.in_turns(subjects)
        rows: list[tuple[str, str, str, str]] = []
        for setup in setups.names:
            store = setups.new(setup, "beside")
            fill(store, 0, MANY)
            server = stack.enter_context(serving(store))
            of_ours, url = partial(load.of_core, server.cpu_seconds), server.url
            ours = login(url)
            _set_api_token(url, ours["cookie"], api_token[1])
            for kind, header in (ours | {API_TOKEN: api_token}).items():
                subjects[f"{setup} {kind}"] = of_ours(partial(load.checks, url, header))
                rows.append((f"check by {kind}, from the cache", setup, f"Medusa {kind}", f"{setup} {kind}"))
            uncached = stack.enter_context(serving(store, environ=UNCACHED))
            for kind in (*ours, API_TOKEN):
                credentials = api_tokens(store, MANY) if kind == API_TOKEN else many(kind, MANY)
                asked = partial(load.checks_of, uncached.url, credentials)
                subjects[f"{setup} {kind} past"] = load.of_core(uncached.cpu_seconds, asked)
                rows.append((f"check by {kind}, past it", setup, f"Medusa {kind}", f"{setup} {kind} past"))
            subjects[f"{setup} login"] = of_ours(partial(load.logins, url, LOGIN))
            rows.append(("login", setup, "Medusa login", f"{setup} login"))
        rates = load.in_turns(subjects)
    for what, setup, medusas, ours_name in rows:
        ratio = rates.ratio(ours_name, medusas)
        each = (f"{rates.median(medusas):,.0f}", f"{rates.median(ours_name):,.0f}")
        table.add(what, setup, *each, f"{ratio:.1f}", rates.spread(ours_name, medusas))
        if what != "login":
            figure = Figure.MISSES_OF_MEDUSA if ours_name.endswith(" past") else Figure.OF_MEDUSA
            table.figures[figure, f"{setup}, {what}"] = ratio
    return table


def _set_api_token(url: str, cookie: Header, token: str) -> None:
    with httpx2.Client(base_url=url, headers=[cookie], trust_env=False, timeout=30) as client:
        user = client.get("/admin/auth").json()["user"]
        client.post(f"/admin/users/{user['id']}", json={"api_token": token}).raise_for_status()
