"""What may be given for a login."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from medusa_auth import AdminPostAuthReq, InvalidRequestError
from medusa_auth.client.payloads import read_payload

EMAIL, PASSWORD = "admin@medusa-test.com", "correct horse battery staple"
NOTHING = "email should not be empty, email must be an email, password should not be empty, password must be a string"
LOGIN = AdminPostAuthReq(EMAIL, PASSWORD)


@pytest.mark.parametrize(
    ("payload", "email", "password"),
    [
        ({"email": EMAIL, "password": PASSWORD}, None, None),
        (LOGIN, None, None),
        (None, EMAIL, PASSWORD),
    ],
)
def test_a_dict_a_struct_and_two_keywords_are_the_same_login(payload: Any, email: Any, password: Any) -> None:
    assert read_payload(payload, email, password) == LOGIN


@pytest.mark.parametrize(
    ("payload", "email", "password", "message"),
    [
        (None, None, None, "this needs a payload, or email= and password="),
        (LOGIN, EMAIL, None, "a payload, or email= and password=, not both"),
        (LOGIN, None, PASSWORD, "a payload, or email= and password=, not both"),
        ((EMAIL, PASSWORD), None, None, "a dict or an AdminPostAuthReq, not tuple"),
        (PASSWORD, None, None, "a dict or an AdminPostAuthReq, not str"),
    ],
)
def test_a_call_that_makes_no_sense_is_a_type_error(payload: Any, email: Any, password: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        read_payload(payload, email, password)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (
            {"email": None},
            NOTHING,
        ),
        ({"email": EMAIL}, "password should not be empty, password must be a string"),
        ({"email": EMAIL, "password": ""}, "password should not be empty"),
        ({"email": EMAIL, "password": 1}, "password must be a string"),
        ({"email": EMAIL, "password": PASSWORD.encode()}, "password must be a string"),
        ({"email": EMAIL, "password": PASSWORD + "\ud800"}, "password must be a string"),
        ({"email": "", "password": PASSWORD}, "email should not be empty, email must be an email"),
        ({"email": [EMAIL], "password": PASSWORD}, "email must be an email"),
        (
            {"email": EMAIL, "password": PASSWORD, PASSWORD: 1},
            "a property other than email and password should not exist",
        ),
        (AdminPostAuthReq(EMAIL, None), "password should not be empty, password must be a string"),  # type: ignore[arg-type]
    ],
)
def test_a_login_that_the_server_would_refuse_is_refused_here_in_its_words(payload: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_payload(payload, None, None)
    assert (caught.value.message, caught.value.status, caught.value.body) == (message, 400, b"")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
