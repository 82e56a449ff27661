"""`Changes` in memory."""

from __future__ import annotations

from collections.abc import Collection

from medusa_auth.store.memory.records import MemoryRecords

__all__ = ["MemoryChanges"]


class MemoryChanges:
    """Hears of what is announced in `records` from now on."""

    delay = 0.0

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records
        self._heard = records.held.announcements

    def poll(self) -> Collection[str] | None:
        held = self._records.held
        new = held.announcements - self._heard
        self._heard = held.announcements
        kept = len(held.announced)
        return None if new > kept else set(held.announced[kept - new :])

    def close(self) -> None:
        """There is nothing to let go of."""
