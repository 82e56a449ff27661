"""What a supervisor and its workers tell each other: lines of JSON. Down go `Keys`, up goes `Report`."""

from __future__ import annotations

import msgspec

__all__ = ["MAX_LINE", "Report"]

# Some hundred keys.
MAX_LINE = 1024 * 1024


class Report(msgspec.Struct, omit_defaults=True):
    """One of them: it serves; it uses the keys that it was given; it cannot start, and why."""

    ready: bool = False
    reloaded: bool = False
    failed: str | None = None
