"""What is aimed at, and whether it was met."""

from __future__ import annotations

from dataclasses import dataclass

from bench.results import Figure, Results, Table, figures_of

__all__ = ["aims"]


@dataclass(frozen=True)
class Aim:
    """Every figure of `figure` has to be at least, or at most, `bound`."""

    what: str
    figure: Figure
    bound: float
    at_least: bool = False
    unit: str = ""

    def worst(self, results: Results) -> tuple[str, float]:
        """Where it was found, and the figure."""
        found = figures_of(results, self.figure).items()
        return (min if self.at_least else max)(found, key=lambda each: each[1])

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


AIMS = (
    Aim("checks from the cache, of bare Starlette's answers", Figure.OF_STARLETTE, 0.6, at_least=True),
    Aim("checks from the cache, of Medusa's", Figure.OF_MEDUSA, 12, at_least=True),
    Aim("checks past the cache, of Medusa's", Figure.MISSES_OF_MEDUSA, 3, at_least=True),
    Aim("a request's cost among many users and sessions, of that among a thousand", Figure.GROWTH, 1.2),
    Aim("p99 of checks while 500 logins are queued", Figure.P99, 100, unit=" ms"),
    Aim("from a logout to the last success elsewhere", Figure.REVOKED, 1000, unit=" ms"),
)


def aims(results: Results) -> Table:
    table = Table(
        "What is aimed at",
        "Of each figure the worst that was found, on whatever set-up and with whatever credential.",
        ("", "aim", "worst", "where", "met"),
    )
    for aim in AIMS:
        where, value = aim.worst(results)
        bound = f"at {'least' if aim.at_least else 'most'} {aim.bound:,g}{aim.unit}"
        table.add(aim.what, bound, f"{value:,.2f}{aim.unit}", where, "yes" if aim.is_met(value) else "**no**")
    return table
