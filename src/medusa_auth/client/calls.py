"""What a flow asks of its driver: values only."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

__all__ = ["Call", "Flow", "Wait"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A request to send; answered by a Reply, or by a `ConnectionError` that is thrown in.

    `path` begins with a slash, is relative to the base URL and may hold a query. The repr shows no secret.
    """

    method: str
    path: str
    headers: httpx2.Headers = field(repr=False)
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause of `seconds`; answered by None."""

    seconds: float


# What is sent in is a Reply after a Call and None after a Wait, which the type system cannot say.
Flow = Generator[Call | Wait, Any, T]
