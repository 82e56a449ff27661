"""The client: Medusa's admin auth API, from Python."""

from __future__ import annotations

from medusa_auth.client.admin import Admin, AsyncAdmin
from medusa_auth.client.admin_auth import AdminAuthResource, AsyncAdminAuthResource
from medusa_auth.client.admin_invites import AdminInvitesResource, AsyncAdminInvitesResource
from medusa_auth.client.admin_users import AdminUsersResource, AsyncAdminUsersResource
from medusa_auth.client.auth import MedusaAuth
from medusa_auth.client.cookies import Cookie, Cookies
from medusa_auth.client.medusa import AsyncMedusa, Medusa
from medusa_auth.client.replies import DataAnswer
from medusa_auth.client.resources import BaseResource

__all__ = [
    "Admin",
    "AdminAuthResource",
    "AdminInvitesResource",
    "AdminUsersResource",
    "AsyncAdmin",
    "AsyncAdminAuthResource",
    "AsyncAdminInvitesResource",
    "AsyncAdminUsersResource",
    "AsyncMedusa",
    "BaseResource",
    "Cookie",
    "Cookies",
    "DataAnswer",
    "Medusa",
    "MedusaAuth",
]
