"""Time is told by whoever calls; machines' clocks differ, and a few numbers make room for that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

__all__ = ["CLOCK_LEEWAY", "KEPT_AFTER_END", "Clock"]

Clock = Callable[[], datetime]
"""Tells the time, aware and in UTC."""

# RFC 7519, section 4.1.4 allows "no more than a few minutes". Never applied to `exp`.
CLOCK_LEEWAY = timedelta(minutes=1)
# What is over is removed this much later: by the clock of another machine it may not be over yet.
KEPT_AFTER_END = timedelta(hours=1)
