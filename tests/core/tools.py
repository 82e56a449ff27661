"""Hashes that cost little, randomness that repeats, stores and hashers that tell or do more, and looks from outside."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from medusa_auth.core.passwords import Argon2id, Hasher
from medusa_auth.store.base import Transaction
from medusa_auth.store.sql.records import SqlRecords

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# What a Medusa 1.20.11 keeps of the password `supersecret`.
MEDUSAS = (
    "c2NyeXB0AAEAAAABAAAAAe/z++GphXoejRyNFxmf0S4IC75HE/LF5VSwSzFBbjDrlpJFZYVdkIBSeE4NLu7nzVvldYELkMPmt7CqOX+kSHF+90cf"
    "wqSWEPl9ETKFssCb"
)
CHEAP = Argon2id(memory_kib=8, passes=1)


class SeededRandom:
    """The same bytes in every run; remembers how many were asked for."""

    def __init__(self, seed: int = 7519) -> None:
        self._random = random.Random(seed)
        self.asked: list[int] = []

    def __call__(self, size: int) -> bytes:
        self.asked.append(size)
        return self._random.randbytes(size)


class ActingHasher:
    """Does `act` in its thread before each verification."""

    def __init__(self, hasher: Hasher, act: Callable[[], None]) -> None:
        self._hasher = hasher
        self._act = act

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def verify(self, password: str, password_hash: str) -> bool:
        self._act()
        return self._hasher.verify(password, password_hash)

    def owns(self, password_hash: str) -> bool:
        return self._hasher.owns(password_hash)


class CountingRecords:
    """The store, and how often it was asked."""

    def __init__(self, records: SqlRecords) -> None:
        self._records = records
        self.reads = 0
        self.on_read: Callable[[], None] = lambda: None

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._records.read(work)

    async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
        self.reads += 1
        result = await self._records.look(find, key)
        self.on_read()
        return result

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._records.write(work)

    async def ping(self) -> None:
        await self._records.ping()

    def close(self) -> None:
        self._records.close()


def rows(path: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a connection of its own reads."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def bytes_at_rest(path: Path) -> bytes:
    """All that is on the disk of a database: the file and its log."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


def run_program(program: str, *arguments: str) -> str:
    """The output of a Python program in a process of its own, which must succeed."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
