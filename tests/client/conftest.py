"""What the tests of the client share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import isawaitable
from random import Random
from typing import Any, TypeVar

import pytest

from medusa_auth.client import AsyncMedusa, Medusa

from .peer import Peer

T = TypeVar("T")
Client = Medusa | AsyncMedusa


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def random() -> Random:
    """Randomness that is the same in every run."""
    return Random(6265)


@pytest.fixture(params=[Medusa, AsyncMedusa])
async def connect(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Callable[..., Client]]:
    """Makes a client of either kind, and closes it at the end."""
    clients: list[Client] = []

    def make(*args: Any, **options: Any) -> Client:
        clients.append(request.param(*args, **options))
        return clients[-1]

    yield make
    for client in clients:
        await close(client)


async def close(client: Client) -> None:
    if isinstance(client, AsyncMedusa):
        await client.aclose()
    else:
        client.close()


async def done(value: Awaitable[T] | T) -> T:
    """What a method of either client returned: its value, awaited where it has to be."""
    return (await value) if isawaitable(value) else value
