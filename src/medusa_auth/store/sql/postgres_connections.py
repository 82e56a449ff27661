"""Connections to PostgreSQL that end when the server does not answer.

The server's own limits are of no use when it is the server, or a proxy before it, that has stopped: whatever is sent is
taken, and nothing ever comes back. Then whoever waits would wait for ever, also when all is well again.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

__all__ = ["BoundedConnection"]

T = TypeVar("T")

# A little more than what the server is given for a statement.
ANSWER_SECONDS = 0.9


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for `ANSWER_SECONDS`, and is closed then."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        return super().wait(self._limited(gen), *args, **kwargs)

    def _limited(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """As `gen`, which is asked every now and then even when nothing has come, and for each bit that has."""
        until = time.monotonic() + ANSWER_SECONDS
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                # First, for all of the answer may be there: this process may have stood still.
                wanted = gen.send(ready)
                if time.monotonic() > until:
                    # What it would say later would be taken for the answer to something else.
                    self.close()
                    raise psycopg.OperationalError("the server does not answer")
        except StopIteration as end:
            result: T = end.value
            return result
