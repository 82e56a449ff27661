"""Passwords: hash, verify, and hash again when the rules have moved on.

New hashes are argon2id, or scrypt in the container of the npm package `scrypt-kdf`, which Medusa verifies. Both are
verified, whatever their parameters, within bounds. Hashing runs in few threads with a short queue, so that a storm
of logins slows nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from medusa_auth.core.ids import Random
from medusa_auth.errors import AuthenticationError, UnavailableError

__all__ = ["Argon2id", "Hasher", "HashingPool", "Passwords", "Scrypt"]

T = TypeVar("T")

# Of the threads that hash: each step has about a tenth less of a processor that others want as well (sched(7)).
NICENESS = 10


class Hasher(Protocol):
    """One scheme with one cost."""

    def hash(self, password: str) -> str: ...

    def verify(self, password: str, password_hash: str) -> bool:
        """Whether the hash, of whatever cost, is this password's. False also for another scheme's, or a broken one."""

    def owns(self, password_hash: str) -> bool:
        """Whether the hash was made with this scheme and this cost."""


class Argon2id:
    """RFC 9106, at the cost of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane."""

    # The most that a hash in the database may ask for: generous multiples of what libraries use by default.
    MAX_MEMORY_KIB = 256 * 1024
    MAX_PASSES = 10
    MAX_LANES = 16

    def __init__(self, memory_kib: int = 19 * 1024, passes: int = 2, lanes: int = 1) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)

    def hash(self, password: str) -> str:
        return self._hasher.hash(_octets(password))

    def verify(self, password: str, password_hash: str) -> bool:
        try:
            asked = argon2.extract_parameters(password_hash)
            if (
                asked.memory_cost > self.MAX_MEMORY_KIB
                or asked.time_cost > self.MAX_PASSES
                or asked.parallelism > self.MAX_LANES
            ):
                return False
            return self._hasher.verify(password_hash, _octets(password))
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def owns(self, password_hash: str) -> bool:
        try:
            return not self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return False


class Scrypt:
    """RFC 7914, in scrypt-kdf's container, which is Medusa's `password_hash`: base64 of 96 bytes.

    "scrypt", 0, log2(N) (1 byte), r (4), p (4), salt (32), the first 16 bytes of the SHA-256 of these 48, and an
    HMAC-SHA256 of these 64, keyed with the second half of the derived 64 bytes. Medusa itself writes N=2, r=1, p=1.
    """

    _HEADER = struct.Struct(">6sBBII32s")
    _CONTAINER_BYTES = 96
    # OWASP's parameters all come to at most N*r*p = 2^20; N*r bounds the memory: 128 * 2^20 = 128 MiB.
    MAX_WORK = 1 << 20
    MAX_LOG2_N = 20
    MAX_LANES = 16

    def __init__(self, log2_n: int = 15, r: int = 8, p: int = 3, random: Random = os.urandom) -> None:
        self._cost = (log2_n, r, p)
        self._random = random

    def hash(self, password: str) -> str:
        log2_n, r, p = self._cost
        header = self._HEADER.pack(b"scrypt", 0, log2_n, r, p, self._random(32))
        return base64.b64encode(self._sealed(password, header, self._cost)).decode()

    def verify(self, password: str, password_hash: str) -> bool:
        container = self._container(password_hash)
        cost = container and self._bounded_cost(container)
        if not container or not cost:
            return False
        return hmac.compare_digest(self._sealed(password, container[: self._HEADER.size], cost), container)

    def owns(self, password_hash: str) -> bool:
        container = self._container(password_hash)
        return container is not None and self._bounded_cost(container) == self._cost

    def _sealed(self, password: str, header: bytes, cost: tuple[int, int, int]) -> bytes:
        log2_n, r, p = cost
        key = hashlib.scrypt(
            _octets(password),
            salt=header[16:],
            n=1 << log2_n,
            r=r,
            p=p,
            dklen=64,
            # OpenSSL counts a little more than 128 * N * r.
            maxmem=128 * r * ((1 << log2_n) + p + 8),
        )
        checked = header + hashlib.sha256(header).digest()[:16]
        return checked + hmac.digest(key[32:], checked, "sha256")

    def _container(self, password_hash: str) -> bytes | None:
        try:
            container = base64.b64decode(password_hash, validate=True)
        except (binascii.Error, ValueError):
            return None
        return container if len(container) == self._CONTAINER_BYTES and container.startswith(b"scrypt\0") else None

    def _bounded_cost(self, container: bytes) -> tuple[int, int, int] | None:
        _, _, log2_n, r, p, _ = self._HEADER.unpack(container[: self._HEADER.size])
        positive = log2_n >= 1 and r >= 1 and p >= 1
        bounded = log2_n <= self.MAX_LOG2_N and p <= self.MAX_LANES and (r * p) << log2_n <= self.MAX_WORK
        return (log2_n, r, p) if positive and bounded else None


class HashingPool:
    """A few threads, and a queue that does not grow: what does not fit is refused at once."""

    # Roughly what a full queue takes to drain.
    RETRY_AFTER_SECONDS = 2

    def __init__(self, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "hashing", _let_others_go_first)
        self._places = threads + queue

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in one of the threads. Raises UnavailableError at once if no place is free."""
        if self._places == 0:
            raise UnavailableError("Too many logins at once.", retry_after=self.RETRY_AFTER_SECONDS)
        held = [work]

        def do() -> T:
            return held.pop()()

        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, do)
        except RuntimeError:
            # It stands in the executor's queue all the same, with nothing in it to do.
            held.clear()
            # Closed, or there are no more threads to be had.
            raise UnavailableError("No password can be hashed.", retry_after=self.RETRY_AFTER_SECONDS) from None
        self._places -= 1
        # The place is free when the thread is, also if whoever waited has gone away.
        future.add_done_callback(self._free)
        return await asyncio.shield(future)

    def _free(self, _: object) -> None:
        self._places += 1

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _let_others_go_first() -> None:
    """Of a processor that is short, whoever does not hash gets more: on Linux threads have a niceness of their own.

    Where a filter of system calls forbids it they have what the others have, and hash all the same.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.nice(NICENESS)


class Passwords:
    """Hashes with one scheme, verifies with all, and spends the same on every check.

    Whatever is kept of the user, a check runs the current hasher exactly once: on the password's hash where that is
    current, else on the hash that replaces an old one, else on one that nobody has. So neither the answer nor its time
    tells a known address from an unknown one.
    """

    def __init__(self, current: Hasher, others: tuple[Hasher, ...], pool: HashingPool) -> None:
        self._current = current
        self._others = others
        self._pool = pool
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Raises UnavailableError if too many are being hashed."""
        return await self._pool.run(lambda: self._current.hash(password))

    async def check(self, password: str, password_hash: str | None) -> str | None:
        """A hash to keep from now on, if the password is right and `password_hash` is out of date.

        `password_hash` None: there is no such user, or no password. Raises AuthenticationError if the password is
        wrong, and UnavailableError if too many wait.
        """
        return await self._pool.run(lambda: self._check(password, password_hash))

    def close(self) -> None:
        self._pool.close()

    async def prepare(self) -> None:
        """Make the hash that nobody has now, and not at the first login, which would take longer by one hash."""
        await self._pool.run(self._make_nobody)

    def _make_nobody(self) -> str:
        self._nobody = self._nobody or self._current.hash(base64.b64encode(os.urandom(32)).decode())
        return self._nobody

    def _check(self, password: str, password_hash: str | None) -> str | None:
        if password_hash and self._current.owns(password_hash):
            if self._current.verify(password, password_hash):
                return None
        elif password_hash and any(hasher.verify(password, password_hash) for hasher in (self._current, *self._others)):
            return self._current.hash(password)
        else:
            self._current.verify(password, self._make_nobody())
        raise AuthenticationError


def _octets(password: str) -> bytes:
    # JavaScript's strings may hold half a surrogate pair, and its UTF-8 has U+FFFD in its place (WHATWG Encoding).
    return password.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
