"""Admin authentication for Medusa stores: the client, its errors and Medusa's JSON shapes.

What is named here is loaded when it is first used, so that a server does not load the client: that would be 12 MB and a
tenth of a second of its start.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medusa_auth.client import *
    from medusa_auth.errors import *
    from medusa_auth.wire import *

__all__ = [
    "API_TOKEN_HEADER",
    "COOKIE_NAME",
    "PUBLISHABLE_API_KEY_HEADER",
    "Admin",
    "AdminAuthRes",
    "AdminAuthResource",
    "AdminBearerAuthRes",
    "AdminCreateUserRequest",
    "AdminDeleteUserRes",
    "AdminInviteDeleteRes",
    "AdminInvitesResource",
    "AdminListInvitesRes",
    "AdminPostAuthReq",
    "AdminPostInvitesInviteAcceptReq",
    "AdminPostInvitesInviteAcceptUserReq",
    "AdminPostInvitesReq",
    "AdminResetPasswordRequest",
    "AdminResetPasswordTokenRequest",
    "AdminUpdateUserRequest",
    "AdminUserRes",
    "AdminUsersListRes",
    "AdminUsersResource",
    "Answer",
    "AnswerError",
    "AsyncAdmin",
    "AsyncAdminAuthResource",
    "AsyncAdminInvitesResource",
    "AsyncAdminUsersResource",
    "AsyncMedusa",
    "AuthenticationError",
    "BaseResource",
    "ConflictError",
    "ConnectionError",
    "Cookie",
    "Cookies",
    "DataAnswer",
    "DuplicateError",
    "ErrorRes",
    "ForbiddenError",
    "InvalidRequestError",
    "Invite",
    "Medusa",
    "MedusaAuth",
    "MedusaAuthError",
    "NotFoundError",
    "PayloadTooLargeError",
    "RateLimitError",
    "Response",
    "RoleName",
    "ServerError",
    "SettingsError",
    "TimeoutError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnsupportedMediaTypeError",
    "User",
    "__version__",
    "timestamp",
]

__version__ = version("medusa-auth")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in map(import_module, ("medusa_auth.errors", "medusa_auth.wire", "medusa_auth.client")):
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
