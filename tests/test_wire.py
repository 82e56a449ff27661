"""Medusa's JSON shapes, key for key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from medusa_auth import model, wire

CREATED = datetime(2026, 11, 24, 1, 53, 13, 446794, tzinfo=UTC)
USER = model.User("usr_1", "ada@example.com", model.Role.MEMBER, CREATED, CREATED + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (CREATED, "2026-11-24T01:53:13.446Z"),
        (CREATED.replace(microsecond=999_999), "2026-11-24T01:53:13.999Z"),
        (CREATED.replace(microsecond=0), "2026-11-24T01:53:13.000Z"),
        (CREATED.astimezone(timezone(timedelta(hours=-5))), "2026-11-24T01:53:13.446Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_as_javascript_writes_it_and_finer_digits_are_cut(moment: datetime, written: str):
    assert wire.timestamp(moment) == written


def test_a_user_has_medusas_keys_in_medusas_order():
    encoded = msgspec.json.encode(wire.AdminAuthRes(wire.User.of(USER)))
    assert encoded == (
        b'{"user":{"id":"usr_1","created_at":"2026-11-24T01:53:13.446Z","updated_at":"2026-11-24T01:53:14.446Z",'
        b'"deleted_at":null,"role":"member","email":"ada@example.com","first_name":null,"last_name":null,'
        b'"api_token":null,"metadata":null}}'
    )


@pytest.mark.asvs("14.2.6")
def test_what_is_known_of_a_user_is_told_and_no_token():
    told = wire.User.of(
        model.User("usr_1", "a@b.co", model.Role.ADMIN, CREATED, CREATED, "Ada", "L", {"b": 1, "a": [None]})
    )
    assert (told.role, told.first_name, told.last_name, told.api_token) == ("admin", "Ada", "L", None)
    assert msgspec.json.encode(told.metadata) == b'{"b":1,"a":[null]}'
    assert not {"password_hash", "password"} & set(told.__struct_fields__)


def test_an_answer_of_medusas_is_read_with_keys_that_we_do_not_know():
    body = b'{"user":' + msgspec.json.encode(wire.User.of(USER))[:-1] + b',"password_hash":null},"more":1}'
    assert msgspec.json.decode(body, type=wire.AdminAuthRes).user == wire.User.of(USER)


def test_an_access_token_is_answered_alone():
    assert msgspec.json.encode(wire.AdminBearerAuthRes("a.b.c")) == b'{"access_token":"a.b.c"}'


@pytest.mark.parametrize(
    ("error", "written"),
    [
        (wire.ErrorRes("not_found", "x"), b'{"type":"not_found","message":"x"}'),
        (wire.ErrorRes("duplicate_error", "x", "c"), b'{"code":"c","type":"duplicate_error","message":"x"}'),
        (wire.ErrorRes("t", 'quoted "ü"\n'), '{"type":"t","message":"quoted \\"ü\\"\\n"}'.encode()),
    ],
)
def test_an_error_has_its_keys_in_medusas_order_and_a_code_only_where_medusa_has_one(
    error: wire.ErrorRes, written: bytes
):
    assert error.encode() == written


@pytest.mark.asvs("16.5.4")
def test_an_error_that_echoes_what_is_no_unicode_text_can_be_written():
    msgspec.json.decode(wire.ErrorRes("invalid_data", "property \ud800 should not exist").encode())


@pytest.mark.asvs("14.2.4")
def test_neither_a_password_nor_a_token_is_shown():
    assert repr(wire.AdminPostAuthReq("a@b.co", "hunter2")) == "AdminPostAuthReq(email='a@b.co', password=...)"
    assert repr(wire.AdminBearerAuthRes("hunter2")) == "AdminBearerAuthRes(access_token=...)"
    user = wire.User("usr_1", "", "", None, "admin", "a@b.co", None, None, "hunter2")
    assert repr(user) == "User(id='usr_1', email='a@b.co', role='admin', ...)"
    invite = wire.Invite("invite_1", "", "", None, "a@b.co", "admin", False, "hunter2", "")
    assert repr(invite) == "Invite(id='invite_1', user_email='a@b.co', role='admin', ...)"


def test_what_was_received_tells_how_and_what_was_made_does_not():
    answer = wire.AdminBearerAuthRes("x")
    with pytest.raises(AttributeError, match="not received"):
        _ = answer.response
    answer.response = wire.Response(200, {"etag": "x"})
    assert answer.response == wire.Response(200, {"etag": "x"})
    assert msgspec.json.encode(answer) == b'{"access_token":"x"}'


def test_the_names_on_the_wire_are_medusas():
    assert wire.COOKIE_NAME == "connect.sid"
    assert wire.API_TOKEN_HEADER == "x-medusa-access-token"
    assert wire.PUBLISHABLE_API_KEY_HEADER == "x-publishable-api-key"
