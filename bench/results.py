"""What is found, as tables of text; bench/page.py makes a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Results", "Table"]


@dataclass(frozen=True)
class Table:
    """`title` is a heading, `text` what has to be known of it; cells are text."""

    title: str
    text: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        self.rows.append([str(cell) for cell in cells])

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.text, "", _line(self.columns), _line(["---"] * len(self.columns))]
        return "\n".join([*lines, *(_line(row) for row in self.rows), ""])


Results = list[Table]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
