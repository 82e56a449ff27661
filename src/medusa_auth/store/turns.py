"""Whose turn it is: work of so many readers and so many writers at once, in threads.

Whoever gets no answer within `ANSWER_WITHIN` is told so by `UnavailableError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TypeVar

from medusa_auth.errors import UnavailableError

__all__ = ["ANSWER_WITHIN", "Turns", "unavailable"]

T = TypeVar("T")

# For a turn in this process, and for that and the work, in seconds: then it is 503, within the second that is promised.
TURN_WITHIN = 0.5
ANSWER_WITHIN = 0.9
RETRY_AFTER_SECONDS = 1


class Turns:
    """Threads for `readers` and `writers`.

    `sessions_elsewhere`: who waits for those leaves a reader's turn to others.
    """

    def __init__(self, readers: int, writers: int, *, sessions_elsewhere: bool = False) -> None:
        self._threads = ThreadPoolExecutor(readers + writers, thread_name_prefix="records")
        self.readers = asyncio.Semaphore(readers)
        self._session_readers = asyncio.Semaphore(readers - sessions_elsewhere)
        self.writers = asyncio.Semaphore(writers)

    async def read(self, work: Callable[[], T], *, of_session: bool = False) -> T:
        turns = (self._session_readers, self.readers) if of_session else (self.readers,)
        return await self._in_turn(turns, work)

    async def write(self, work: Callable[[], T]) -> T:
        return await self._in_turn((self.writers,), work)

    def close(self) -> None:
        """Work that was begun is done first; what comes later is told that the store is unavailable."""
        self._threads.shutdown(wait=True)

    async def _in_turn(self, turns: Sequence[asyncio.Semaphore], work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await _acquire(turns)
                return await asyncio.shield(self._begin(turns, work))
        except TimeoutError:
            # It may still be done: who asks again is told the same.
            raise unavailable() from None

    def _begin(self, turns: Sequence[asyncio.Semaphore], work: Callable[[], T]) -> asyncio.Future[T]:
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError:
            # Closed, or there are no more threads to be had.
            _release(turns)
            raise unavailable() from None
        # The turns end with the work, also if whoever waited for it has gone away.
        future.add_done_callback(lambda done: _end(turns, done))
        return future


async def _acquire(turns: Sequence[asyncio.Semaphore]) -> None:
    """All of them, or none. Raises TimeoutError."""
    async with AsyncExitStack() as waiting, asyncio.timeout(TURN_WITHIN):
        for turn in turns:
            await waiting.enter_async_context(turn)
        waiting.pop_all()


def _release(turns: Sequence[asyncio.Semaphore]) -> None:
    for turn in turns:
        turn.release()


def _end(turns: Sequence[asyncio.Semaphore], done: asyncio.Future[T]) -> None:
    _release(turns)
    if not done.cancelled():
        # Looked at here, for whoever waited may have gone away.
        done.exception()


def unavailable() -> UnavailableError:
    return UnavailableError("The database cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
