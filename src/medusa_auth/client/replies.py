"""What came back, and what it means: a typed answer, or the error that the server meant."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from medusa_auth import errors, wire
from medusa_auth.client.dates import parse_date

__all__ = ["DataAnswer", "Reply", "answer_error"]

AnswerT = TypeVar("AnswerT", bound=wire.Answer)

_READ = 4096  # characters of an error page that are looked at
_SHOWN = 300  # characters of it that are shown: Express's pages begin with what matters, then comes the stack


class DataAnswer(wire.Answer):
    """An answer that has no type of its own: `data` is the JSON, or the text as str, or None when there is no body."""

    data: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as received. `headers` has lower-case names; `received_at` is in seconds since 1970."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    received_at: float = 0.0

    def read(self, shape: type[AnswerT]) -> AnswerT:
        """The body as `shape`.

        Raises AnswerError when this is not a success, UnexpectedAnswerError when it is one of another shape.
        """
        self.check()
        answer: AnswerT = self._decoded(shape)
        return self._with_response(answer)

    def read_ok(self) -> wire.Answer:
        """An answer that says no more than that it was done: the text `OK`, or nothing. Raises as `read`."""
        self.check()
        if self.content.strip() not in (b"", b"OK"):
            raise self._unexpected("a text that is not OK")
        return self._with_response(wire.Answer())

    def read_data(self) -> DataAnswer:
        """The body, whatever it is. Raises as `read`: UnexpectedAnswerError when it says that it is JSON and is not."""
        self.check()
        if not self.content:
            return self._with_response(DataAnswer())
        if self.media_type.endswith("json"):
            return self._with_response(DataAnswer(self._decoded(Any)))
        return self._with_response(DataAnswer(self.text))

    def check(self) -> None:
        """Raises when this is not a success.

        A redirect is an UnexpectedAnswerError: Medusa's admin API has none, so the base URL is wrong, or another server
        answers. It is not followed, for the credentials are meant for the address that was given.
        """
        if 200 <= self.status < 300:  # noqa: PLR2004 - RFC 9110 section 15.3
            return
        if self.status < 400:  # noqa: PLR2004 - RFC 9110 section 15.4
            target = self.headers.get("location", "").partition("?")[0]
            raise self._unexpected(f"a redirect to {target[:_SHOWN] or 'nowhere'}, which Medusa never sends")
        raise answer_error(self)

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not UTF-8 is replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def retry_after(self) -> float | None:
        """What Retry-After asks for, in seconds from when the answer was sent; None when it asks for nothing.

        RFC 9110 section 10.2.3: seconds, or a date, which is counted from Date, by the clock that wrote both.
        """
        value = self.headers.get("retry-after", "").strip()
        if re.fullmatch("[0-9]+", value):
            return float(value)
        moment = parse_date(value)
        if moment is None:
            return None
        sent_at = parse_date(self.headers.get("date", ""))
        return max(0.0, moment - (self.received_at if sent_at is None else sent_at))

    def _decoded(self, shape: Any) -> Any:
        try:
            return msgspec.json.decode(self.content, type=shape)
        except (ValueError, RecursionError) as error:
            raise self._unexpected(f"no {getattr(shape, '__name__', 'JSON')}: {error}") from None

    def _with_response(self, answer: AnswerT) -> AnswerT:
        answer.response = wire.Response(self.status, dict(self.headers))
        return answer

    def _unexpected(self, what: str) -> errors.UnexpectedAnswerError:
        kind = self.media_type or "no content type"
        return errors.UnexpectedAnswerError(
            f"the answer, {self.status} with {kind}, is {what}; is this Medusa's address?"
        )


def answer_error(reply: Reply) -> errors.AnswerError:
    """The error that `reply` (400 or more) means: Medusa's words when it is Medusa's JSON, else its text."""
    said = _said(reply)
    return _kind(reply.status)(
        said.message or None,
        status=reply.status,
        type=said.type or None,
        code=said.code,
        body=reply.content,
        retry_after=reply.retry_after,
    )


def _kind(status: int) -> type[errors.AnswerError]:
    return _KINDS.get(status, errors.ServerError if status >= 500 else errors.AnswerError)  # noqa: PLR2004 - RFC 9110 section 15.6


_KINDS: dict[int, type[errors.AnswerError]] = {
    400: errors.InvalidRequestError,
    401: errors.AuthenticationError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.PayloadTooLargeError,
    415: errors.UnsupportedMediaTypeError,
    422: errors.DuplicateError,
    429: errors.RateLimitError,
    502: errors.UnavailableError,
    503: errors.UnavailableError,
    504: errors.UnavailableError,
}


def _said(reply: Reply) -> wire.ErrorRes:
    """Medusa's error; of anything else its text alone, which is cut, and freed of tags and line breaks."""
    try:
        return msgspec.json.decode(reply.content, type=wire.ErrorRes)
    except (ValueError, RecursionError):
        text = reply.text[:_READ]
    if reply.media_type == "text/html":
        # Of Express's page the first line of what it shows: the rest is its title and a stack trace.
        shown = re.search(r"<pre>(.*?)<(?:br|/pre)", text, re.DOTALL)
        text = html.unescape(re.sub(r"<[^<>]*>", " ", shown[1] if shown else text))
    return wire.ErrorRes(type="", message=" ".join(text.split())[:_SHOWN])
