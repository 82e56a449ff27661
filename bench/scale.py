"""docs/scale.md: what many administrators and machines need, derived from what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.results import Figure, Results, figures_of
from medusa_auth.core.identities import PROVEN_WITHIN
from medusa_auth.core.sessions import TOUCH_EVERY
from medusa_auth.settings import Settings
from medusa_auth.store.hearing import ASK_EVERY, HEARD_WITHIN
from medusa_auth.store.sql.engines import POSTGRESQL_WRITERS, READERS
from medusa_auth.store.turns import ANSWER_WITHIN, LOOKERS

__all__ = ["scale"]

ADMINS, MACHINES = 10_000, 1_000
# A second: one of each administrator every 2 s, ten of each machine.
CHECKS = ADMINS / 2 + MACHINES * 10
# A second: everybody within five minutes.
LOGINS = ADMINS / 300
# More than there are of administrators and machines.
REMEMBERED = 2 * Settings.identities_cached
# Two for each of three regions: one may be away.
WORKERS = 6
FLEETS = (1, WORKERS, 12, 100, MACHINES)


def scale(results: Results) -> str:
    """The whole page: `make bench` writes it anew."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(n=_number, ns=_numbers)
    return environment.get_template("scale.md").render(_facts() | _figures(results))


def _facts() -> dict[str, Any]:
    """What is assumed, and constants of the program."""
    touch, per_worker = TOUCH_EVERY.total_seconds(), LOOKERS + READERS + POSTGRESQL_WRITERS + 1
    return {
        "admins": ADMINS,
        "machines": MACHINES,
        "workers": WORKERS,
        "checks": CHECKS,
        "touch": touch,
        "touches": ADMINS / touch,
        "readers": LOOKERS + READERS,
        "writers": POSTGRESQL_WRITERS,
        "per_worker": per_worker,
        "ask_every": ASK_EVERY,
        "heard_within": HEARD_WITHIN,
        "farthest": (HEARD_WITHIN - ASK_EVERY) / 2 * 1000,
        "answer_within": ANSWER_WITHIN,
        "proven_within": PROVEN_WITHIN,
        "cached": Settings.identities_cached,
        "queue": Settings.hashing_queue,
        "remembered": REMEMBERED,
        "fleet": [
            {
                "workers": workers,
                "connections": workers * per_worker,
                "questions": workers / ASK_EVERY,
                "misses": min(CHECKS, (ADMINS + MACHINES) * workers / touch),
                "told": workers * ADMINS / touch,
            }
            for workers in FLEETS
        ],
    }


def _figures(results: Results) -> dict[str, Any]:
    """What was measured, by set-up, in the order of the set-ups."""
    check, login = figures_of(results, Figure.CHECKS), figures_of(results, Figure.LOGINS)
    resident, identity = figures_of(results, Figure.RESIDENT), figures_of(results, Figure.IDENTITY_BYTES)
    return {
        "check": check,
        "miss": figures_of(results, Figure.MISSES),
        "login": login,
        "resident": resident,
        "session_bytes": figures_of(results, Figure.SESSION_BYTES),
        "identity_bytes": max(identity.values()),
        "cores_checking": [CHECKS / each for each in check.values()],
        "cores_logging_in": [LOGINS / each for each in login.values()],
        "cores": max(LOGINS / login[setup] + CHECKS / each for setup, each in check.items()),
        "with_identities": [resident[setup] + REMEMBERED * each / 2**20 for setup, each in identity.items()],
        "p99": max(figures_of(results, Figure.P99).values()),
        "revoked": figures_of(results, Figure.REVOKED),
        "growth": max(figures_of(results, Figure.GROWTH).values()),
    }


def _number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"


def _numbers(values: Iterable[float], digits: int = 0) -> str:
    """The cells of a row."""
    return " | ".join(_number(each, digits) for each in values)
