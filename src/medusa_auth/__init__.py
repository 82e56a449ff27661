"""Admin authentication for Medusa stores."""

from __future__ import annotations

from importlib.metadata import version

from medusa_auth.client import (
    Admin,
    AdminAuthResource,
    AsyncAdmin,
    AsyncAdminAuthResource,
    AsyncMedusa,
    BaseResource,
    Cookie,
    Cookies,
    DataAnswer,
    Medusa,
    MedusaAuth,
)
from medusa_auth.errors import (
    AnswerError,
    AuthenticationError,
    ConflictError,
    ConnectionError,  # noqa: A004 - the field's word; see errors
    DuplicateError,
    ForbiddenError,
    InvalidRequestError,
    MedusaAuthError,
    NotFoundError,
    PayloadTooLargeError,
    RateLimitError,
    ServerError,
    SettingsError,
    TimeoutError,  # noqa: A004 - the field's word; see errors
    UnavailableError,
    UnexpectedAnswerError,
    UnsupportedMediaTypeError,
)
from medusa_auth.wire import (
    API_TOKEN_HEADER,
    COOKIE_NAME,
    PUBLISHABLE_API_KEY_HEADER,
    AdminAuthRes,
    AdminBearerAuthRes,
    AdminPostAuthReq,
    Answer,
    ErrorRes,
    Response,
    User,
    timestamp,
)

__all__ = [
    "API_TOKEN_HEADER",
    "COOKIE_NAME",
    "PUBLISHABLE_API_KEY_HEADER",
    "Admin",
    "AdminAuthRes",
    "AdminAuthResource",
    "AdminBearerAuthRes",
    "AdminPostAuthReq",
    "Answer",
    "AnswerError",
    "AsyncAdmin",
    "AsyncAdminAuthResource",
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
    "Medusa",
    "MedusaAuth",
    "MedusaAuthError",
    "NotFoundError",
    "PayloadTooLargeError",
    "RateLimitError",
    "Response",
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
