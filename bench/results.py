"""What is found: tables of text for docs/performance.md, and the figures that aims and docs/scale.md need of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

__all__ = ["Figure", "Results", "Table", "figures_of"]


class Figure(Enum):
    """What a number is of; one core is one worker's."""

    CHECKS = auto()  # a second and core, by cookie, from the cache
    MISSES = auto()  # a second and core, by cookie, past the cache
    LOGINS = auto()  # a second and core
    OF_STARLETTE = auto()  # checks from the cache, of bare Starlette's answers
    OF_MEDUSA = auto()  # checks from the cache, of Medusa's
    MISSES_OF_MEDUSA = auto()  # checks past the cache, of Medusa's
    GROWTH = auto()  # what a request costs among the many, of its cost among the few
    P99 = auto()  # of a check while logins are queued, in milliseconds
    REVOKED = auto()  # from a logout to the last success elsewhere, at worst, in milliseconds
    RESIDENT = auto()  # of a worker after its start, in MB
    IDENTITY_BYTES = auto()  # of one that is remembered
    SESSION_BYTES = auto()  # of one in its store
    START = auto()  # to the first answer, in seconds


@dataclass(frozen=True)
class Table:
    """`title` is a heading, `text` what has to be known of it; cells are text.

    `figures` have beside what they are of, where they were found: a set-up, and what else tells one from the other.
    """

    title: str
    text: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    figures: dict[tuple[Figure, str], float] = field(default_factory=dict)

    def add(self, *cells: object) -> None:
        self.rows.append([str(cell) for cell in cells])

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.text, "", _line(self.columns), _line(["---"] * len(self.columns))]
        return "\n".join([*lines, *(_line(row) for row in self.rows), ""])


Results = list[Table]


def figures_of(results: Results, figure: Figure) -> Mapping[str, float]:
    """By where it was found."""
    return {where: value for table in results for (of, where), value in table.figures.items() if of is figure}


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
