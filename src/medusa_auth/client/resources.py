"""What the parts of Medusa's API are made of.

Of every method: `payload` is a dict, the request's Struct, or keywords; `custom_headers` win over the client's own
headers. Every one raises AnswerError for an answer that is not a success, ConnectionError for none,
UnexpectedAnswerError for one that is not Medusa's, and TypeError or InvalidRequestError, before anything is sent, for
arguments that make no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from medusa_auth.client.calls import Flow
from medusa_auth.client.flows import Flows

__all__ = ["AsyncRun", "BaseResource", "Headers", "Run"]

T = TypeVar("T")
RunT = TypeVar("RunT")

Headers = Mapping[str, str]


class Run(Protocol):
    """Runs a flow to its end, and returns or raises what it does."""

    def __call__(self, flow: Flow[T], /) -> T: ...


class AsyncRun(Protocol):
    """As Run, without blocking."""

    async def __call__(self, flow: Flow[T], /) -> T: ...


class BaseResource(Generic[RunT]):
    """A part of Medusa's API: the flows of one client, and what runs them."""

    def __init__(self, flows: Flows, run: RunT) -> None:
        self._flows = flows
        self._run = run
