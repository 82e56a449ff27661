"""What an answer means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth import AdminAuthRes, Answer, AnswerError, UnexpectedAnswerError, errors
from medusa_auth.client.replies import Reply, answer_error

from .samples import CANNOT_PUT, DUPLICATE, INVALID, NOT_FOUND, UNKNOWN, USER

JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html; charset=utf-8"}
TEXT = {"content-type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (402, errors.AnswerError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.PayloadTooLargeError),
        (415, errors.UnsupportedMediaTypeError),
        (418, errors.AnswerError),
        (422, errors.DuplicateError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (501, errors.ServerError),
        (502, errors.UnavailableError),
        (503, errors.UnavailableError),
        (504, errors.UnavailableError),
        (599, errors.ServerError),
    ],
)
def test_each_status_is_an_error_of_its_own_class(status: int, kind: type[AnswerError]) -> None:
    error = answer_error(Reply(status, TEXT, b"Some words"))
    assert (type(error), error.status, error.message, error.body) == (kind, status, "Some words", b"Some words")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, NOT_FOUND, ("not_found", None, "User with id: usr_nope was not found")),
        (400, INVALID, ("invalid_data", None, "email must be an email")),
        (500, UNKNOWN, ("unknown_error", "unknown_error", "An unknown error occurred.")),
        (422, DUPLICATE, ("duplicate_error", "invalid_request_error", "User with email x@y.io already exists.")),
    ],
)
def test_medusas_json_gives_the_error_its_words(status: int, body: str, words: tuple[str, str | None, str]) -> None:
    error = answer_error(Reply(status, JSON, body.encode()))
    assert (error.type, error.code, error.message) == words


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({}, "Unauthorized", "Unauthorized"),
        (TEXT, "Invalid or expired password reset token", "Invalid or expired password reset token"),
        (HTML, CANNOT_PUT, "Cannot PUT /admin/auth"),
        (HTML, "<p>a &lt; b", "a < b"),
        (JSON, '{"message":"no type"}', '{"message":"no type"}'),
        (JSON, '["a"]', '["a"]'),
        (TEXT, "x" * 5000, "x" * 300),
        (TEXT, "", "Unauthorized"),
    ],
)
def test_any_other_body_is_the_message_as_text(headers: dict[str, str], body: str, message: str) -> None:
    assert answer_error(Reply(401, headers, body.encode())).message == message


@given(st.integers(400, 599), st.sampled_from([{}, JSON, HTML, TEXT]), st.binary() | st.text().map(str.encode))
def test_no_body_keeps_an_error_from_being_made(status: int, headers: dict[str, str], body: bytes) -> None:
    error = answer_error(Reply(status, headers, body))
    assert (error.status, error.body) == (status, body)
    assert str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 02:00:07 GMT", "date": "Tue, 24 Nov 2026 02:00:00 GMT"}, 7.0),
        ({"retry-after": "Tue, 24 Nov 2026 01:00:00 GMT", "date": "Tue, 24 Nov 2026 02:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:47 GMT"}, 7.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    reply = Reply(503, headers, received_at=100.0)
    assert (reply.retry_after, answer_error(reply).retry_after) == (seconds, seconds)


def test_a_typed_answer_carries_its_status_and_headers() -> None:
    session = Reply(200, JSON, USER.encode()).read(AdminAuthRes)
    assert (session.user.id, session.user.email) == ("usr_01M85M3N8B8MBGF9Q3YG3YEACZ", "admin@medusa-test.com")
    assert (session.response.status, session.response.headers) == (200, JSON)


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"[]", b"{}", b'{"user":{}}', b'{"user":null}', b"\xff", b'{"user":' + b"[" * 10000]
)
def test_a_success_of_another_shape_is_an_unexpected_answer(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError, match="200 with application/json, is no AdminAuthRes"):
        Reply(200, JSON, body).read(AdminAuthRes)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_an_unexpected_answer_that_says_where_to(status: int) -> None:
    reply = Reply(status, {"location": "https://shop.example.com/login?token=a-secret"}, USER.encode())
    with pytest.raises(UnexpectedAnswerError, match=r"a redirect to https://shop\.example\.com/login,") as caught:
        reply.read(AdminAuthRes)
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "body"), [(200, b"OK"), (200, b""), (204, b"")])
def test_ok_and_nothing_confirm(status: int, body: bytes) -> None:
    answer = Reply(status, TEXT, body).read_ok()
    assert (type(answer), answer.response.status) == (Answer, status)


def test_a_page_confirms_nothing() -> None:
    with pytest.raises(UnexpectedAnswerError, match="a text that is not OK"):
        Reply(200, HTML, b"<html>Welcome to the hotel's network").read_ok()


@pytest.mark.parametrize(
    ("headers", "body", "data"),
    [
        (JSON, b'{"users":[],"count":0}', {"users": [], "count": 0}),
        ({"content-type": "application/problem+json"}, b"1", 1),
        (TEXT, b"OK", "OK"),
        ({}, "gr\u00fcn".encode(), "gr\u00fcn"),
        (TEXT, b"\xff", "\ufffd"),
        (JSON, b"", None),
    ],
)
def test_data_is_json_or_text_or_none(headers: dict[str, str], body: bytes, data: object) -> None:
    assert Reply(200, headers, body).read_data().data == data


def test_what_says_that_it_is_json_and_is_not_is_an_unexpected_answer() -> None:
    with pytest.raises(UnexpectedAnswerError):
        Reply(200, JSON, b"<html>").read_data()


def test_no_repr_of_a_reply_shows_its_body_or_headers() -> None:
    assert "a-secret" not in repr(Reply(200, {"set-cookie": "a-secret"}, b"a-secret"))
