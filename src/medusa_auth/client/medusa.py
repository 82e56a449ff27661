"""The two drivers. They differ by their awaits only; what they run is in `flows`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self, TypeVar

import anyio
import httpx2

from medusa_auth.client.admin import Admin, AsyncAdmin
from medusa_auth.client.base import MedusaBase, network_errors
from medusa_auth.client.calls import Call, Flow, Wait
from medusa_auth.client.replies import DataAnswer, Reply
from medusa_auth.errors import MedusaAuthError

__all__ = ["AsyncMedusa", "Medusa"]

T = TypeVar("T")


class Medusa(MedusaBase[httpx2.BaseTransport, httpx2.Client]):
    """A Medusa backend: `medusa.admin.auth` logs in and out, `medusa.request` calls what has no method.

    `with Medusa("http://localhost:9000", max_retries=3) as medusa:`; the options are those of MedusaBase.
    """

    _default_sleep = staticmethod(time.sleep)

    @property
    def admin(self) -> Admin:
        """The admin API."""
        return Admin(self._flows, self._run)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        custom_headers: Mapping[str, str] | None = None,
    ) -> DataAnswer:
        """Any call to Medusa, such as `request("GET", "/admin/products", params={"limit": 10}).data["products"]`.

        Raises as the calls of `admin.auth` do, and InvalidRequestError for a `path` that is not below the base URL.
        """
        return self._run(self._flows.request(method, path, json, params, custom_headers))

    def close(self) -> None:
        """Close the connections; the client is not usable after."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(**options)

    def _run(self, flow: Flow[T], /) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    result = self._perform(step)
                except MedusaAuthError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _perform(self, step: Call | Wait) -> Reply | None:
        if isinstance(step, Wait):
            self._sleep(step.seconds)
            return None
        request = self._request(step)
        with network_errors(request):
            return self._received(self._http.send(request))


class AsyncMedusa(MedusaBase[httpx2.AsyncBaseTransport, httpx2.AsyncClient]):
    """As Medusa, without blocking, on asyncio and trio."""

    _default_sleep = staticmethod(anyio.sleep)

    @property
    def admin(self) -> AsyncAdmin:
        """The admin API."""
        return AsyncAdmin(self._flows, self._run)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        custom_headers: Mapping[str, str] | None = None,
    ) -> DataAnswer:
        """As Medusa.request."""
        return await self._run(self._flows.request(method, path, json, params, custom_headers))

    async def aclose(self) -> None:
        """As Medusa.close."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _open(self, **options: Any) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**options)

    async def _run(self, flow: Flow[T], /) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    result = await self._perform(step)
                except MedusaAuthError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    async def _perform(self, step: Call | Wait) -> Reply | None:
        if isinstance(step, Wait):
            await self._sleep(step.seconds)
            return None
        request = self._request(step)
        with network_errors(request):
            return self._received(await self._http.send(request))
