"""Few at a time: what a crowd that comes at once would do in one turn of the event loop is spread over many.

Whoever comes in between, to be checked and no more, waits for a few of the crowd and not for all of it.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Turnstile"]

# A login needs about 0.1 ms of the event loop before it is hashed: so many hold up a check for a millisecond.
EACH_TURN = 8


class Turnstile:
    """Lets `each_turn` through in one turn of the event loop, in the order in which they came. For one event loop."""

    def __init__(self, each_turn: int = EACH_TURN) -> None:
        self._each_turn = each_turn
        self._left = each_turn
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Until it is one's turn: at once, where there is no crowd."""
        loop = asyncio.get_running_loop()
        if self._left == self._each_turn:
            loop.call_soon(self._next_turn)
        if self._left > 0:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_turn(self) -> None:
        self._left = self._each_turn
        while self._waiting and self._left > 0:
            turn = self._waiting.popleft()
            # Whoever waited may have gone away.
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        if self._left < self._each_turn:
            asyncio.get_running_loop().call_soon(self._next_turn)
