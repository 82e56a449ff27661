"""Medusa's AdminAuthResource, method for method the JavaScript class; each method is one line over a flow.

What is true of every method, and what every one raises, is in `resources`. A login's payload is a dict, an
AdminPostAuthReq, or the keywords `email` and `password`.
"""

from __future__ import annotations

from medusa_auth.client.payloads import Payload, read_payload
from medusa_auth.client.resources import AsyncRun, BaseResource, Headers, Run
from medusa_auth.wire import AdminAuthRes, AdminBearerAuthRes, Answer

__all__ = ["AdminAuthResource", "AsyncAdminAuthResource"]


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
