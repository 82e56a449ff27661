"""`Records` in memory.

A transaction works on a draft of what the store held when it began. Readers' drafts are dropped; a writer's becomes
what the store holds, all at once, and writers take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TypeVar

from medusa_auth.store.base import Transaction
from medusa_auth.store.memory.access_tokens import MemoryAccessTokens
from medusa_auth.store.memory.api_tokens import MemoryApiTokens
from medusa_auth.store.memory.entries import Entries
from medusa_auth.store.memory.invites import MemoryInvites
from medusa_auth.store.memory.outbox import MemoryOutbox
from medusa_auth.store.memory.password_resets import MemoryPasswordResets
from medusa_auth.store.memory.sessions import MemorySessions
from medusa_auth.store.memory.tables import Draft
from medusa_auth.store.memory.users import MemoryUsers
from medusa_auth.store.turns import Turns

__all__ = ["MemoryRecords", "MemoryTransaction"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

READERS = 2
# The latest of them. Whoever missed more forgets everybody.
ANNOUNCEMENTS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """What the store holds at one moment, with the latest announcements, and how many there ever were."""

    entries: Entries
    announced: tuple[str, ...] = ()
    announcements: int = 0


class MemoryTransaction:
    """`store.base.Transaction` over a draft."""

    def __init__(self, held: Held, numbers: Iterator[int]) -> None:
        self._held = held
        self._announced: list[str] = []
        draft = self._draft = Draft(held.entries)
        self.users = MemoryUsers(draft)
        self.sessions = MemorySessions(draft)
        self.access_tokens = MemoryAccessTokens(draft)
        self.api_tokens = MemoryApiTokens(draft)
        self.password_resets = MemoryPasswordResets(draft)
        self.invites = MemoryInvites(draft)
        self.outbox = MemoryOutbox(draft, numbers)

    def announce(self, user_id: str, now: datetime) -> None:  # noqa: ARG002 - as many are kept at any time
        self._announced.append(user_id)

    def outcome(self) -> Held:
        """What the store holds after it."""
        announced = (*self._held.announced, *self._announced)[-ANNOUNCEMENTS_KEPT:]
        return Held(self._draft.entries, announced, self._held.announcements + len(self._announced))


class MemoryRecords:
    """`store.base.Records` of one process: what it holds ends with it."""

    def __init__(self) -> None:
        self.held = Held(Entries())
        self._numbers = count(1)
        self._turns = Turns(READERS, writers=1)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._turns.read(lambda: work(MemoryTransaction(self.held, self._numbers)))

    async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
        def find_all(keys: Sequence[K]) -> Mapping[K, V]:
            return find(MemoryTransaction(self.held, self._numbers), keys)

        return await self._turns.look(find, key, find_all)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._turns.write(lambda: self._write(work))

    async def ping(self) -> None:
        await self.read(lambda _: None)

    def close(self) -> None:
        self._turns.close()

    def _write(self, work: Callable[[Transaction], T]) -> T:
        tx = MemoryTransaction(self.held, self._numbers)
        result = work(tx)
        self.held = tx.outcome()
        return result
