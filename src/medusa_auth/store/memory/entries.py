"""Tuples in their order, as a value: what is added to or removed from it makes another one.

They stand in pieces, which are never changed. Two that follow each other share all pieces but one, so that a change
among 100,000 copies some hundreds of references, and whoever holds an older one keeps seeing it as it was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

__all__ = ["Entries", "Entry"]

Entry = tuple[Any, ...]
# Past it a piece becomes two: few pieces, and each copied in some microseconds.
LONGEST = 512


class Entries:
    """No two of them are equal in all but their last item, which is never compared."""

    def __init__(self, pieces: list[list[Entry]] | None = None) -> None:
        # No piece is empty, unless it stands alone.
        self._pieces = pieces or [[]]

    def starting(self, beginning: Entry) -> Iterator[Entry]:
        """Those that begin like that, in their order."""
        length = len(beginning)
        number, place = self._place(beginning)
        while number < len(self._pieces):
            piece = self._pieces[number]
            for at in range(place, len(piece)):
                if piece[at][:length] != beginning:
                    return
                yield piece[at]
            number, place = number + 1, 0

    def add(self, entry: Entry) -> Entries:
        number, place = self._place(entry[:-1])
        piece = self._pieces[number].copy()
        piece.insert(place, entry)
        return self._with(number, piece)

    def remove(self, entry: Entry) -> Entries:
        """It has to be there."""
        number, place = self._place(entry[:-1])
        if place == len(self._pieces[number]):
            number, place = number + 1, 0
        piece = self._pieces[number].copy()
        del piece[place]
        return self._with(number, piece)

    def _place(self, beginning: Entry) -> tuple[int, int]:
        """The piece, and where in it, that something that begins like that comes to stand."""
        number = max(bisect_left(self._pieces, [beginning]) - 1, 0)
        return number, bisect_left(self._pieces[number], beginning)

    def _with(self, number: int, piece: list[Entry]) -> Entries:
        half = len(piece) // 2 if len(piece) > LONGEST else len(piece)
        pieces = self._pieces.copy()
        pieces[number : number + 1] = [part for part in (piece[:half], piece[half:]) if part]
        return Entries(pieces)
