"""The client: Medusa's admin auth API, from Python."""

from __future__ import annotations

from medusa_auth.client.admin_auth import (
    Admin,
    AdminAuthResource,
    AsyncAdmin,
    AsyncAdminAuthResource,
    BaseResource,
)
from medusa_auth.client.auth import MedusaAuth
from medusa_auth.client.cookies import Cookie, Cookies
from medusa_auth.client.medusa import AsyncMedusa, Medusa
from medusa_auth.client.replies import DataAnswer

__all__ = [
    "Admin",
    "AdminAuthResource",
    "AsyncAdmin",
    "AsyncAdminAuthResource",
    "AsyncMedusa",
    "BaseResource",
    "Cookie",
    "Cookies",
    "DataAnswer",
    "Medusa",
    "MedusaAuth",
]
