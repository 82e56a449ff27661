"""Medusa's AdminAuthResource, method for method the JavaScript class; each method is one line over a flow.

Of every method: `payload` is a dict, an AdminPostAuthReq, or the keywords `email` and `password`; `custom_headers` win
over the client's own headers. Every one raises AnswerError for an answer that is not a success, ConnectionError for
none, UnexpectedAnswerError for one that is not Medusa's, and TypeError or InvalidRequestError, before anything is sent,
for arguments that make no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from medusa_auth.client.calls import Flow
from medusa_auth.client.flows import Flows
from medusa_auth.client.payloads import Payload, read_payload
from medusa_auth.wire import AdminAuthRes, AdminBearerAuthRes, Answer

__all__ = ["Admin", "AdminAuthResource", "AsyncAdmin", "AsyncAdminAuthResource", "BaseResource"]

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


class AdminAuthResource(BaseResource[Run]):
    """Log in and out, and ask who is logged in."""

    def create_session(
        self,
        payload: Payload | None = None,
        custom_headers: Headers | None = None,
        *,
        email: str | None = None,
        password: str | None = None,
    ) -> AdminAuthRes:
        """Log in with a session, which the client keeps as a cookie. Returns the administrator, in `user`.

        Raises AuthenticationError for a wrong email or password.
        """
        return self._run(self._flows.create_session(read_payload(payload, email, password), custom_headers))

    def get_session(self, custom_headers: Headers | None = None) -> AdminAuthRes:
        """The administrator that the session, the access token or the API token belongs to, in `user`.

        Raises AuthenticationError when there is none.
        """
        return self._run(self._flows.get_session(custom_headers))

    def delete_session(self, custom_headers: Headers | None = None) -> Answer:
        """Log out, and forget the session's cookie and the access token. Returns nothing but `response`.

        Raises AuthenticationError when nobody was logged in; both are forgotten then too.
        """
        return self._run(self._flows.delete_session(custom_headers))

    def get_token(
        self,
        payload: Payload | None = None,
        custom_headers: Headers | None = None,
        *,
        email: str | None = None,
        password: str | None = None,
    ) -> AdminBearerAuthRes:
        """Log in for an access token, which this client sends from now on. Returns it, in `access_token`.

        Raises AuthenticationError for a wrong email or password; a token from before is kept then.
        """
        return self._run(self._flows.get_token(read_payload(payload, email, password), custom_headers))


class AsyncAdminAuthResource(BaseResource[AsyncRun]):
    """As AdminAuthResource, without blocking."""

    async def create_session(
        self,
        payload: Payload | None = None,
        custom_headers: Headers | None = None,
        *,
        email: str | None = None,
        password: str | None = None,
    ) -> AdminAuthRes:
        """As AdminAuthResource.create_session."""
        return await self._run(self._flows.create_session(read_payload(payload, email, password), custom_headers))

    async def get_session(self, custom_headers: Headers | None = None) -> AdminAuthRes:
        """As AdminAuthResource.get_session."""
        return await self._run(self._flows.get_session(custom_headers))

    async def delete_session(self, custom_headers: Headers | None = None) -> Answer:
        """As AdminAuthResource.delete_session."""
        return await self._run(self._flows.delete_session(custom_headers))

    async def get_token(
        self,
        payload: Payload | None = None,
        custom_headers: Headers | None = None,
        *,
        email: str | None = None,
        password: str | None = None,
    ) -> AdminBearerAuthRes:
        """As AdminAuthResource.get_token."""
        return await self._run(self._flows.get_token(read_payload(payload, email, password), custom_headers))


class Admin(BaseResource[Run]):
    """Medusa's admin API. Beside `auth`, Medusa's `request` calls whatever there is."""

    def __init__(self, flows: Flows, run: Run) -> None:
        super().__init__(flows, run)
        self.auth = AdminAuthResource(flows, run)


class AsyncAdmin(BaseResource[AsyncRun]):
    """As Admin, without blocking."""

    def __init__(self, flows: Flows, run: AsyncRun) -> None:
        super().__init__(flows, run)
        self.auth = AsyncAdminAuthResource(flows, run)
