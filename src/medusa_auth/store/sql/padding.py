"""Values for an IN: always as many as a power of two, so that a database, which prepares a statement that comes again
and again, knows a few of them and not one for every number."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["padded"]


def padded(values: Collection[str]) -> Sequence[str]:
    """`values`, and the last of them as often as it takes."""
    padding = (1 << (len(values) - 1).bit_length()) - len(values) if values else 0
    found = [*values]
    return found + found[-1:] * padding
