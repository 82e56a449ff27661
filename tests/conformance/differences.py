"""What a difference is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in both answers; None on the side that does not have it."""

    what: str
    medusa: str | None
    ours: str | None

    def __str__(self) -> str:
        return f"{self.what}: {self.medusa!r} in Medusa, {self.ours!r} here"
