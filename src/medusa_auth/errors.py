"""Every error of this package.

* MedusaAuthError
  x SettingsError               a wrong setting: the start is refused
  x AnswerError                 an answer that is not a success: raised by the server, read by the client
    + InvalidRequestError       400
    + AuthenticationError       401
    + ForbiddenError            403
    + NotFoundError             404
    + ConflictError             409
    + PayloadTooLargeError      413
    + UnsupportedMediaTypeError 415
    + DuplicateError            422
    + RateLimitError            429
    + ServerError               500
      - UnavailableError        502, 503, 504
  x UnexpectedAnswerError       a success whose body is not what Medusa answers
  x ConnectionError             no answer
    + TimeoutError              no answer in time

Names follow what went wrong, not where: the server raises an `AuthenticationError`, and the client that reads its
answer raises the same.
"""

from __future__ import annotations

__all__ = [
    "AnswerError",
    "AuthenticationError",
    "ConflictError",
    "ConnectionError",
    "DuplicateError",
    "ForbiddenError",
    "InvalidRequestError",
    "MedusaAuthError",
    "NotFoundError",
    "PayloadTooLargeError",
    "RateLimitError",
    "ServerError",
    "SettingsError",
    "TimeoutError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnsupportedMediaTypeError",
]


class MedusaAuthError(Exception):
    """The root: catches whatever this package raises."""


class SettingsError(MedusaAuthError):
    """A setting that the server refuses to start with; the message says which, and why."""


class AnswerError(MedusaAuthError):
    """An answer that is not a success.

    `status` is the HTTP status, `type` and `code` are Medusa's words for it, `message` is for people,
    `retry_after` is in seconds. `body` is the body as received, empty where the error was raised and not received.
    """

    status: int = 500
    type: str = "unknown_error"
    code: str | None = None
    message: str = "An unknown error occurred."

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int | None = None,
        type: str | None = None,  # noqa: A002 - Medusa's word
        code: str | None = None,
        body: bytes = b"",
        retry_after: float | None = None,
    ) -> None:
        self.message = self.message if message is None else message
        self.status = self.status if status is None else status
        self.type = self.type if type is None else type
        self.code = self.code if code is None else code
        self.body = body
        self.retry_after = retry_after
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"


class InvalidRequestError(AnswerError):
    status, type, message = 400, "invalid_data", "The request is not valid."


class AuthenticationError(AnswerError):
    status, type, message = 401, "unauthorized", "Unauthorized"


class ForbiddenError(AnswerError):
    status, type, message = 403, "not_allowed", "This is not allowed."


class NotFoundError(AnswerError):
    status, type, message = 404, "not_found", "There is nothing here."


class ConflictError(AnswerError):
    status, type, message = 409, "conflict", "The request conflicts with another one."


class PayloadTooLargeError(AnswerError):
    status, type, message = 413, "invalid_data", "The body is larger than 100 KiB."


class UnsupportedMediaTypeError(AnswerError):
    status, type, message = 415, "invalid_data", "The body is in an encoding that is not supported."


class DuplicateError(AnswerError):
    status, type, code, message = 422, "duplicate_error", "invalid_request_error", "This exists already."


class RateLimitError(AnswerError):
    status, type, message = 429, "rate_limited", "Too many requests."


class ServerError(AnswerError):
    status, type, code = 500, "unknown_error", "unknown_error"


# When to come back, in seconds, after what passes by itself within a moment: a store that is away or slow. It is no
# error, so the package does not offer it.
RETRY_AFTER_SECONDS = 1


class UnavailableError(ServerError):
    """The server cannot answer now; `retry_after` says when to try again, in seconds."""

    status, type, code, message = 503, "unavailable", "unavailable", "The server cannot answer right now."


class UnexpectedAnswerError(MedusaAuthError):
    """A success whose body is not what Medusa answers: is there something else behind this address?"""


class ConnectionError(MedusaAuthError):  # noqa: A001 - the field's word; inside this package the builtin is not used
    """There was no answer: refused, reset, or the name is unknown."""


class TimeoutError(ConnectionError):  # noqa: A001
    """There was no answer in time."""
