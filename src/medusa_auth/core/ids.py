"""Identifiers and hashes of secrets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import datetime

__all__ = ["Random", "new_id", "secret_hash"]

Random = Callable[[int], bytes]
"""Gives that many bytes that nobody can guess; `os.urandom` everywhere but in tests."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str, now: datetime, random: Random = os.urandom) -> str:
    """`prefix`, `_` and a ULID: 48 bits of milliseconds and 80 random bits in 26 characters, as in Medusa's ids."""
    value = int(now.timestamp() * 1000) << 80 | int.from_bytes(random(10), "big")
    return f"{prefix}_" + "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def secret_hash(secret: str) -> str:
    """The SHA-256 of `secret`, in hex: how a random secret of 128 bits or more is kept.

    Such a secret cannot be guessed from its hash, so it needs neither salt nor a slow hash.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
