"""What has been heard of changes over a network, and up to when: whoever listens tells, whoever caches asks.

Whoever listens asks the server something again and again; the answer comes after whatever was told before it. So it
knows up to which moment it has heard everything, and when that is too long ago, because the connection is lost, the
process slept or the server does not answer, nothing that is cached may be believed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from functools import partial

from medusa_auth.errors import UnavailableError

__all__ = [
    "ASK_EVERY",
    "CONNECT_AGAIN_AFTER",
    "FIRST_ANSWER_SECONDS",
    "HEARD_WITHIN",
    "MAX_NAMES",
    "Hearing",
    "steady",
]

# How often the server is asked, and how old its last answer may be: what is revoked is refused everywhere within this.
ASK_EVERY = 0.2  # seconds
HEARD_WITHIN = 0.6
CONNECT_AGAIN_AFTER = 0.2
# How long a start waits for the first answer. A server that does not answer is heard later, and nothing cached before.
FIRST_ANSWER_SECONDS = 2.0
# So many names wait for whoever asks; with more, everybody is forgotten. A worker may have nothing to do for days.
MAX_NAMES = 10_000


# In seconds, on a clock that never stands: it goes on while the machine is suspended, where there is such a one.
steady: Callable[[], float] = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Hearing:
    """For one thread that listens and any that ask. `clock` is in seconds, and never stands."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._missed = False
        self._heard_until = float("-inf")
        self._has_begun = threading.Event()
        self._is_waited_for = True

    def poll(self) -> Collection[str] | None:
        """As `store.base.Changes.poll`."""
        with self._lock:
            if self._clock() > self._heard_until + HEARD_WITHIN:
                raise UnavailableError("What was revoked cannot be heard right now.")
            names, self._names = self._names, set()
            missed, self._missed = self._missed, False
        return None if missed else names

    def add(self, names: Collection[str]) -> None:
        with self._lock:
            self._names.update(names)
            if len(self._names) > MAX_NAMES:
                self._names, self._missed = set(), True

    def miss(self) -> None:
        """Anybody may have changed."""
        with self._lock:
            self._missed = True

    def connected(self) -> None:
        """From now on all is heard; what changed before is not known, if anybody has asked for anything."""
        with self._lock:
            self._missed = self._missed or not self._is_waited_for

    def up_to(self, moment: float) -> None:
        """Everything that was told before `moment`, on the clock, has been added."""
        with self._lock:
            self._heard_until = moment
        self._has_begun.set()

    def lost(self) -> None:
        """Nothing is heard any more."""
        with self._lock:
            self._heard_until = float("-inf")

    def wait(self) -> None:
        """For the first answer, but not for long. Until then nobody asks for anything."""
        self._has_begun.wait(FIRST_ANSWER_SECONDS)
        with self._lock:
            self._is_waited_for = False

    def give_up_waiting(self) -> None:
        """No answer will come soon."""
        self._has_begun.set()
