"""Whose turn it is: work of so many readers and so many writers at once, in threads.

Whoever gets no answer within `ANSWER_WITHIN` is told so by `UnavailableError`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from medusa_auth.errors import RETRY_AFTER_SECONDS, UnavailableError

__all__ = ["ANSWER_WITHIN", "LOOKERS", "OneByOneError", "Turns", "unavailable"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_Asked = list[tuple[K, asyncio.Future[V | None]]]

# For a turn in this process, and for that and the work, in seconds: then it is 503, within the second that is promised.
TURN_WITHIN = 0.5
ANSWER_WITHIN = 0.9
# Neither readers nor writers hold them up. Two of the kinds ask for sessions, which may be elsewhere, and slow.
LOOKERS = 3
# How many keys are looked up together at most: for SQL they are the parameters of one statement.
KEYS_AT_ONCE = 128


class OneByOneError(Exception):
    """Raised by who looks many up, when it cannot be done for one of them: each is then looked up by itself."""


class Turns:
    """Threads for `readers`, `writers`, and `LOOKERS`."""

    def __init__(self, readers: int, writers: int) -> None:
        self._threads = ThreadPoolExecutor(readers + writers + LOOKERS, thread_name_prefix="records")
        self._readers = asyncio.Semaphore(readers)
        self._writers = asyncio.Semaphore(writers)
        self._lookers = asyncio.Semaphore(LOOKERS)
        self._lanes: dict[Hashable, _Lane[Any, Any]] = {}

    async def read(self, work: Callable[[], T]) -> T:
        return await self._in_turn(self._readers, work)

    async def write(self, work: Callable[[], T]) -> T:
        return await self._in_turn(self._writers, work)

    async def look(self, kind: Hashable, key: K, find: Callable[[Sequence[K]], Mapping[K, V]]) -> V | None:
        """What `find` finds for `key`, or None.

        While one `find` of that kind is at work, those who come gather, and the next is given the keys of all.
        """
        lane: _Lane[K, V] | None = self._lanes.get(kind)
        if lane is None:
            lane = self._lanes[kind] = _Lane(find)
            lane.task = asyncio.create_task(self._run(kind, lane))
        return await lane.join(key)

    def close(self) -> None:
        """Work that was begun is done first; what comes later is told that the store is unavailable."""
        self._threads.shutdown(wait=True)

    async def _run(self, kind: Hashable, lane: _Lane[K, V]) -> None:
        """For as long as anybody waits."""
        try:
            while lane.is_busy():
                async with self._lookers:
                    await lane.answer(lane.next(), self._begin)
        finally:
            del self._lanes[kind]
            lane.give_up()

    async def _in_turn(self, turn: asyncio.Semaphore, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                async with asyncio.timeout(TURN_WITHIN):
                    await turn.acquire()
                try:
                    future = self._begin(work)
                except UnavailableError:
                    turn.release()
                    raise
                # The turn ends with the work, also if whoever waited for it has gone away.
                future.add_done_callback(lambda done: _end(turn, done))
                return await asyncio.shield(future)
        except TimeoutError:
            # It may still be done: who asks again is told the same.
            raise unavailable() from None

    def _begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        try:
            return asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError:
            # Closed, or there are no more threads to be had.
            raise unavailable() from None


class _Lane(Generic[K, V]):
    """Those who ask the same of different keys."""

    task: asyncio.Task[None]

    def __init__(self, find: Callable[[Sequence[K]], Mapping[K, V]]) -> None:
        self._find = find
        self._waiting: _Asked[K, V] = []
        self._patience = _Patience()

    def is_busy(self) -> bool:
        # Who waited for too long has gone away.
        self._waiting = [each for each in self._waiting if not each[1].done()]
        return bool(self._waiting)

    def join(self, key: K) -> asyncio.Future[V | None]:
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        self._patience.begin(answer)
        return answer

    def next(self) -> _Asked[K, V]:
        asked, self._waiting = self._waiting[:KEYS_AT_ONCE], self._waiting[KEYS_AT_ONCE:]
        return asked

    async def answer(
        self, asked: _Asked[K, V], begin: Callable[[Callable[[], Mapping[K, V]]], asyncio.Future[Mapping[K, V]]]
    ) -> None:
        keys = list(dict.fromkeys(key for key, _ in asked))
        try:
            found = await begin(lambda: self._find(keys))
        except Exception as error:  # noqa: BLE001 - they are told
            if len(asked) == 1 or isinstance(error, UnavailableError):
                _fail(asked, error)
                return
            # One key may be to blame, and it is not for the others to suffer from it.
            for each in asked:
                await self.answer([each], begin)
            return
        for key, answer in asked:
            if not answer.done():
                answer.set_result(found.get(key))

    def give_up(self) -> None:
        """Whoever still waits is told that the store is unavailable."""
        self._patience.end()


class _Patience:
    """Whoever has waited for `ANSWER_WITHIN` is told that the store is unavailable.

    They come in the order in which their time is over, so one timer does for all: most are answered long before.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, answer: asyncio.Future[Any]) -> None:
        self._forget_answered()
        self._waiting.append((answer.get_loop().time() + ANSWER_WITHIN, answer))
        if self._timer is None:
            self._set_timer()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        _fail(self._waiting, unavailable())

    def _set_timer(self) -> None:
        moment, answer = self._waiting[0]
        self._timer = answer.get_loop().call_at(moment, self._look, moment)

    def _look(self, moment: float) -> None:
        self._timer = None
        while self._waiting and self._waiting[0][0] <= moment:
            _fail([self._waiting.popleft()], unavailable())
        self._forget_answered()
        if self._waiting:
            self._set_timer()

    def _forget_answered(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()


def _fail(asked: Iterable[tuple[Any, asyncio.Future[Any]]], error: Exception) -> None:
    for _, answer in asked:
        if not answer.done():
            answer.set_exception(error)


def _end(turn: asyncio.Semaphore, done: asyncio.Future[T]) -> None:
    turn.release()
    if not done.cancelled():
        # Looked at here, for whoever waited may have gone away.
        done.exception()


def unavailable() -> UnavailableError:
    return UnavailableError("The database cannot be reached right now.", retry_after=RETRY_AFTER_SECONDS)
