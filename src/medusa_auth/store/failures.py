"""What an operator is told when a store fails: why, in words, and not once for every request."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

__all__ = ["Failures"]

_log = logging.getLogger(__name__)

# While it lasts, the same is said again after this long.
SAY_AGAIN_AFTER = 30.0  # seconds


class Failures:
    """One line for each reason, again after a while if it still is one, and one when all is well. Threads share it.

    `name` is how people call the store; `reason` says why it fails, and nothing secret.
    """

    def __init__(
        self, name: str, reason: Callable[[BaseException], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._reason = reason
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}

    def tell(self, error: BaseException) -> None:
        why = self._reason(error)
        with self._lock:
            told_at = self._told.get(why)
            if told_at is not None and self._clock() < told_at + SAY_AGAIN_AFTER:
                return
            self._told[why] = self._clock()
        _log.warning("%s cannot be used: %s", self._name, why)

    def over(self) -> None:
        """Said by whoever has noticed that the store was away, when it answers again."""
        with self._lock:
            if not self._told:
                return
            self._told.clear()
        _log.warning("%s answers again", self._name)
