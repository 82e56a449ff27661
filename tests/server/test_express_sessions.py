"""What express-session keeps in Redis is read and written as it does, and nothing in there is an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth.server.express_sessions import ExpressSessions

LIFE = timedelta(hours=10)
NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
SESSIONS = ExpressSessions(LIFE, secure=False, same_site="lax")
# Of a real Medusa.
COOKIE = {
    "originalMaxAge": 36000000,
    "expires": "2026-11-24T11:54:33.645Z",
    "secure": False,
    "httpOnly": True,
    "path": "/",
    "sameSite": False,
}


def text(**changes: Any) -> bytes:
    return json.dumps({"cookie": COOKIE, **changes}).encode()


def test_a_session_of_medusas_tells_whose_it_is_when_it_was_used_and_what_else_is_in_it():
    session = SESSIONS.decode(text(customer_id="cus_1", user_id="usr_1"))
    assert session
    assert session.user_id == "usr_1"
    assert session.seen_at == datetime(2026, 11, 24, 1, 54, 33, 645000, tzinfo=UTC)
    assert session.others == {"customer_id": "cus_1"}


def test_a_session_is_written_with_the_keys_of_express_session_in_its_order():
    written = json.loads(SESSIONS.encode("usr_1", {"customer_id": "cus_1", "x": [None]}, NOW + LIFE))
    assert list(written) == ["cookie", "customer_id", "x", "user_id"]
    assert list(written["cookie"]) == list(COOKIE)
    assert written["cookie"] == COOKIE | {"expires": "2026-11-24T22:00:00.123Z", "sameSite": "lax"}


def test_what_is_written_is_read_again():
    session = SESSIONS.decode(SESSIONS.encode("usr_1", {"customer_id": "cus_1"}, NOW + LIFE))
    assert session
    assert (session.user_id, session.others) == ("usr_1", {"customer_id": "cus_1"})
    assert session.seen_at == NOW.replace(microsecond=123000)
    nobodys = SESSIONS.decode(SESSIONS.encode(None, {}, NOW + LIFE))
    assert nobodys
    assert nobodys.user_id is None


@pytest.mark.parametrize("user_id", [None, "", 1, True, ["usr_1"], {"a": 1}, "usr\0", "u" * 256])
def test_a_user_who_is_no_id_is_nobody(user_id: object):
    session = SESSIONS.decode(text(user_id=user_id))
    assert session
    assert session.user_id is None


@pytest.mark.parametrize(
    "expires",
    [
        None,
        1,
        "x",
        "2026-11-24",
        "2026-11-24T11:54:33",
        "0001-01-01T00:00:00Z",
        "1969-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_a_session_without_a_time_that_can_be_reckoned_with_is_none(expires: object):
    assert SESSIONS.decode(text(cookie=COOKIE | {"expires": expires}, user_id="usr_1")) is None


@pytest.mark.parametrize("life", [-1, 1e300, 10**18])
def test_a_life_that_cannot_be_meant_is_taken_for_the_usual_one(life: float):
    session = SESSIONS.decode(text(cookie=COOKIE | {"originalMaxAge": life}))
    assert session
    assert session.seen_at == datetime(2026, 11, 24, 1, 54, 33, 645000, tzinfo=UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["cookie", "user_id", "expires", "x"]), inner),
)


@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"cookie": st.fixed_dictionaries({"originalMaxAge": JSON, "expires": st.datetimes().map(str) | JSON})}
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_is_an_error(written: bytes):
    session = SESSIONS.decode(written)
    if session is not None:
        assert session.seen_at + timedelta(seconds=1) + LIFE > session.seen_at
        assert SESSIONS.encode(session.user_id, session.others, NOW)


@pytest.mark.parametrize("written", [b"[" * 200_000, b'{"a":' * 200_000, text()[:-1] + b',"x":' + b"[" * 200_000])
def test_depth_is_no_error(written: bytes):
    assert SESSIONS.decode(written) is None
