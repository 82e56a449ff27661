"""Medusa's AdminInvitesResource, method for method the JavaScript class; each method is one line over a flow.

What is true of every method, and what every one raises, is in `resources`.
"""

from __future__ import annotations

from typing import Unpack

from medusa_auth.client.payloads import AcceptKeywords, Fields, InviteKeywords, read_body
from medusa_auth.client.resources import AsyncRun, BaseResource, Headers, Run
from medusa_auth.wire import (
    AdminInviteDeleteRes,
    AdminListInvitesRes,
    AdminPostInvitesInviteAcceptReq,
    AdminPostInvitesReq,
    Answer,
)

__all__ = ["AdminInvitesResource", "AsyncAdminInvitesResource"]


class AdminInvitesResource(BaseResource[Run]):
    """Invite people to be users, and accept an invite."""

    def list(self, custom_headers: Headers | None = None) -> AdminListInvitesRes:
        """The invites that nobody has accepted, in `invites`."""
        return self._run(self._flows.list_invites(custom_headers))

    def create(
        self,
        payload: AdminPostInvitesReq | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[InviteKeywords],
    ) -> Answer:
        """Invite the email `user` to be a `role`. Returns nothing but `response`."""
        return self._run(self._flows.create_invite(read_body(AdminPostInvitesReq, payload, keywords), custom_headers))

    def resend(self, id: str, custom_headers: Headers | None = None) -> Answer:  # noqa: A002 - Medusa's word
        """Send an invite again, with a new token. Returns nothing but `response`.

        Raises InvalidRequestError for one that is not there.
        """
        return self._run(self._flows.resend_invite(id, custom_headers))

    def delete(self, id: str, custom_headers: Headers | None = None) -> AdminInviteDeleteRes:  # noqa: A002 - Medusa's word
        """Withdraw an invite. Returns the id, of one that was not there too."""
        return self._run(self._flows.delete_invite(id, custom_headers))

    def accept(
        self,
        payload: AdminPostInvitesInviteAcceptReq | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[AcceptKeywords],
    ) -> Answer:
        """Become a user by the token from the mail. Returns nothing but `response`.

        Raises InvalidRequestError for a token that is not good.
        """
        return self._run(
            self._flows.accept_invite(read_body(AdminPostInvitesInviteAcceptReq, payload, keywords), custom_headers)
        )


class AsyncAdminInvitesResource(BaseResource[AsyncRun]):
    """As AdminInvitesResource, without blocking."""

    async def list(self, custom_headers: Headers | None = None) -> AdminListInvitesRes:
        """As AdminInvitesResource.list."""
        return await self._run(self._flows.list_invites(custom_headers))

    async def create(
        self,
        payload: AdminPostInvitesReq | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[InviteKeywords],
    ) -> Answer:
        """As AdminInvitesResource.create."""
        return await self._run(
            self._flows.create_invite(read_body(AdminPostInvitesReq, payload, keywords), custom_headers)
        )

    async def resend(self, id: str, custom_headers: Headers | None = None) -> Answer:  # noqa: A002 - Medusa's word
        """As AdminInvitesResource.resend."""
        return await self._run(self._flows.resend_invite(id, custom_headers))

    async def delete(self, id: str, custom_headers: Headers | None = None) -> AdminInviteDeleteRes:  # noqa: A002 - Medusa's word
        """As AdminInvitesResource.delete."""
        return await self._run(self._flows.delete_invite(id, custom_headers))

    async def accept(
        self,
        payload: AdminPostInvitesInviteAcceptReq | Fields | None = None,
        custom_headers: Headers | None = None,
        **keywords: Unpack[AcceptKeywords],
    ) -> Answer:
        """As AdminInvitesResource.accept."""
        return await self._run(
            self._flows.accept_invite(read_body(AdminPostInvitesInviteAcceptReq, payload, keywords), custom_headers)
        )
