"""Medusa's AdminUsersResource, method for method the JavaScript class; each method is one line over a flow.

What is true of every method, and what every one raises, is in `resources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from medusa_auth.client.payloads import (
    CreateUserKeywords,
    Fields,
    PasswordTokenKeywords,
    ResetPasswordKeywords,
    UpdateUserKeywords,
    read_body,
)
from medusa_auth.client.resources import AsyncRun, BaseResource, Headers, Run
from medusa_auth.wire import (
    AdminCreateUserRequest,
    AdminDeleteUserRes,
    AdminResetPasswordRequest,
    AdminResetPasswordTokenRequest,
    AdminUpdateUserRequest,
    AdminUserRes,
    AdminUsersListRes,
    Answer,
)

__all__ = ["AdminUsersResource", "AsyncAdminUsersResource"]


class AdminUsersResource(BaseResource[Run]):
    """The users of the admin API: look at them, make, change and delete them; and new passwords."""

    def list(self, query: Mapping[str, Any] | None = None, custom_headers: Headers | None = None) -> AdminUsersListRes:
        """Some users, and how many there are. `query` searches (`q`), selects (`email`, `created_at`, ...) and cuts.

        Where it asks for `fields`, the attributes of a user that were not asked for are None.
        """
        return self._run(self._flows.list_users(query, custom_headers))

    def retrieve(self, id: str, custom_headers: Headers | None = None) -> AdminUserRes:  # noqa: A002 - Medusa's word
        """The user of that id, in `user`. Raises NotFoundError."""
        return self._run(self._flows.retrieve_user(id, custom_headers))

    def create(
        self,
        payload: AdminCreateUserRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[CreateUserKeywords],
    ) -> AdminUserRes:
        """Make a user. Returns it, in `user`. Raises InvalidRequestError for an email that a user has."""
        return self._run(self._flows.create_user(read_body(AdminCreateUserRequest, payload, keywords), custom_headers))

    def update(
        self,
        id: str,  # noqa: A002 - Medusa's word
        payload: AdminUpdateUserRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[UpdateUserKeywords],
    ) -> AdminUserRes:
        """Change what is given of a user; None takes it away. Returns the user, in `user`. Raises NotFoundError."""
        return self._run(
            self._flows.update_user(id, read_body(AdminUpdateUserRequest, payload, keywords), custom_headers)
        )

    def delete(self, id: str, custom_headers: Headers | None = None) -> AdminDeleteUserRes:  # noqa: A002 - Medusa's word
        """Delete a user. Returns the id, of one that was not there too."""
        return self._run(self._flows.delete_user(id, custom_headers))

    def send_reset_password_token(
        self,
        payload: AdminResetPasswordTokenRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[PasswordTokenKeywords],
    ) -> Answer:
        """Ask for a mail with a link to set a new password. Returns nothing but `response`, whoever has that email."""
        return self._run(
            self._flows.send_reset_password_token(
                read_body(AdminResetPasswordTokenRequest, payload, keywords), custom_headers
            )
        )

    def reset_password(
        self,
        payload: AdminResetPasswordRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[ResetPasswordKeywords],
    ) -> AdminUserRes:
        """Set a new password, by the token from the mail. Returns its user, in `user`.

        Raises AnswerError for a token that is not good: Medusa answers 400, 401 or 500.
        """
        return self._run(
            self._flows.reset_password(read_body(AdminResetPasswordRequest, payload, keywords), custom_headers)
        )


class AsyncAdminUsersResource(BaseResource[AsyncRun]):
    """As AdminUsersResource, without blocking."""

    async def list(
        self, query: Mapping[str, Any] | None = None, custom_headers: Headers | None = None
    ) -> AdminUsersListRes:
        """As AdminUsersResource.list."""
        return await self._run(self._flows.list_users(query, custom_headers))

    async def retrieve(self, id: str, custom_headers: Headers | None = None) -> AdminUserRes:  # noqa: A002 - Medusa's word
        """As AdminUsersResource.retrieve."""
        return await self._run(self._flows.retrieve_user(id, custom_headers))

    async def create(
        self,
        payload: AdminCreateUserRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[CreateUserKeywords],
    ) -> AdminUserRes:
        """As AdminUsersResource.create."""
        return await self._run(
            self._flows.create_user(read_body(AdminCreateUserRequest, payload, keywords), custom_headers)
        )

    async def update(
        self,
        id: str,  # noqa: A002 - Medusa's word
        payload: AdminUpdateUserRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[UpdateUserKeywords],
    ) -> AdminUserRes:
        """As AdminUsersResource.update."""
        return await self._run(
            self._flows.update_user(id, read_body(AdminUpdateUserRequest, payload, keywords), custom_headers)
        )

    async def delete(self, id: str, custom_headers: Headers | None = None) -> AdminDeleteUserRes:  # noqa: A002 - Medusa's word
        """As AdminUsersResource.delete."""
        return await self._run(self._flows.delete_user(id, custom_headers))

    async def send_reset_password_token(
        self,
        payload: AdminResetPasswordTokenRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[PasswordTokenKeywords],
    ) -> Answer:
        """As AdminUsersResource.send_reset_password_token."""
        return await self._run(
            self._flows.send_reset_password_token(
                read_body(AdminResetPasswordTokenRequest, payload, keywords), custom_headers
            )
        )

    async def reset_password(
        self,
        payload: AdminResetPasswordRequest | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[ResetPasswordKeywords],
    ) -> AdminUserRes:
        """As AdminUsersResource.reset_password."""
        return await self._run(
            self._flows.reset_password(read_body(AdminResetPasswordRequest, payload, keywords), custom_headers)
        )
