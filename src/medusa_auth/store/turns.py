"""Whose turn it is: work of so many readers and so many writers at once, in threads.

Whoever gets no answer within `ANSWER_WITHIN` is told so by `UnavailableError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from medusa_auth.errors import UnavailableError

__all__ = ["ANSWER_WITHIN", "Turns", "unavailable"]

T = TypeVar("T")

# For a turn in this process, and for that and the work, in seconds: then it is 503, within the second that is promised.
TURN_WITHIN = 0.5
ANSWER_WITHIN = 0.9
RETRY_AFTER_SECONDS = 1


class Turns:
    """Threads for `readers` and `writers`."""

    def __init__(self, readers: int, writers: int) -> None:
        self._threads = ThreadPoolExecutor(readers + writers, thread_name_prefix="records")
        self.readers = asyncio.Semaphore(readers)
        self.writers = asyncio.Semaphore(writers)

    async def read(self, work: Callable[[], T]) -> T:
        return await self._in_turn(self.readers, work)

    async def write(self, work: Callable[[], T]) -> T:
        return await self._in_turn(self.writers, work)

    def close(self) -> None:
        """Work that was begun is done first; what comes later is told that the store is unavailable."""
        self._threads.shutdown(wait=True)

    async def _in_turn(self, turn: asyncio.Semaphore, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                async with asyncio.timeout(TURN_WITHIN):
                    await turn.acquire()
                return await asyncio.shield(self._begin(turn, work))
        except TimeoutError:
            # It may still be done: who asks again is told the same.
            raise unavailable() from None

    def _begin(self, turn: asyncio.Semaphore, work: Callable[[], T]) -> asyncio.Future[T]:
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError:
            # Closed, or there are no more threads to be had.
            turn.release()
            raise unavailable() from None
        # The turn ends with the work, also if whoever waited for it has gone away.
        future.add_done_callback(lambda done: _end(turn, done))
        return future


def _end(turn: asyncio.Semaphore, done: asyncio.Future[T]) -> None:
    turn.release()
    if not done.cancelled():
        # Looked at here, for whoever waited may have gone away.
        done.exception()


def unavailable() -> UnavailableError:
    return UnavailableError("The database cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
