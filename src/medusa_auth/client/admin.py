"""Medusa's admin API, as far as it is about people: who is logged in, the users and the invites."""

from __future__ import annotations

from medusa_auth.client.admin_auth import AdminAuthResource, AsyncAdminAuthResource
from medusa_auth.client.admin_invites import AdminInvitesResource, AsyncAdminInvitesResource
from medusa_auth.client.admin_users import AdminUsersResource, AsyncAdminUsersResource
from medusa_auth.client.flows import Flows
from medusa_auth.client.resources import AsyncRun, BaseResource, Run

__all__ = ["Admin", "AsyncAdmin"]


class Admin(BaseResource[Run]):
    """Medusa's admin API. Beside `auth`, `users` and `invites`, Medusa's `request` calls whatever there is."""

    def __init__(self, flows: Flows, run: Run) -> None:
        super().__init__(flows, run)
        self.auth = AdminAuthResource(flows, run)
        self.users = AdminUsersResource(flows, run)
        self.invites = AdminInvitesResource(flows, run)


class AsyncAdmin(BaseResource[AsyncRun]):
    """As Admin, without blocking."""

    def __init__(self, flows: Flows, run: AsyncRun) -> None:
        super().__init__(flows, run)
        self.auth = AsyncAdminAuthResource(flows, run)
        self.users = AsyncAdminUsersResource(flows, run)
        self.invites = AsyncAdminInvitesResource(flows, run)
