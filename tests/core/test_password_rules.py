"""Which new passwords are accepted."""

from __future__ import annotations

import pytest

from medusa_auth.core.password_rules import MAX_PASSWORD_BYTES, PasswordRules
from medusa_auth.errors import InvalidRequestError

OWN = ("ada.lovelace@example.com", "Ada", "Lovelace")


def refused(password: str, rules: PasswordRules | None = None) -> str:
    with pytest.raises(InvalidRequestError) as error:
        (rules or PasswordRules()).check(password, OWN)
    return error.value.message


@pytest.mark.asvs("6.2.5")
@pytest.mark.asvs("6.2.9")
@pytest.mark.parametrize(
    "password",
    [
        "green apples",
        "zqxjkvbp",
        "ZQXJKVBP",
        "59174063",
        "........",
        "пароль-мой",
        "🔑🔑🔑🔑🔑🔑🔑🔑",
        "  spaces  count  ",
        "x" * MAX_PASSWORD_BYTES,
        "a" * 64 + "b",
        "ada.lovelace@example.com and more",
        "password is not the whole of it",
    ],
)
def test_there_are_no_rules_of_composition(password: str):
    PasswordRules().check(password, OWN)


@pytest.mark.asvs("6.2.1")
@pytest.mark.parametrize("password", ["", "x", "zqxjkvb", "🔑" * 7, "e\u0301" * 7])
def test_a_short_password_is_refused_by_its_characters(password: str):
    assert "at least 8 characters" in refused(password)


def test_the_least_length_can_be_raised():
    assert "at least 15 characters" in refused("green apples", PasswordRules(15))
    PasswordRules(15).check("green apples fall", OWN)


def test_a_password_of_more_than_1024_bytes_is_refused():
    assert "at most 1024 bytes" in refused("x" * (MAX_PASSWORD_BYTES + 1))
    assert "at most 1024 bytes" in refused("ü" * 513)


@pytest.mark.asvs("6.2.4")
@pytest.mark.parametrize("password", ["password", "PassWord1", "12345678", "qwertyuiop", "iloveyou", "supersecret"])
def test_a_common_password_is_refused_in_any_case(password: str):
    assert "most common" in refused(password)


@pytest.mark.asvs("6.2.11")
@pytest.mark.parametrize(
    "password", ["Ada.Lovelace@example.com", "ada.lovelace", " lovelace ", "Ada Lovelace", "adalovelace"]
)
def test_ones_own_email_or_name_is_refused(password: str):
    assert "your own email or name" in refused(password)


def test_everything_is_accepted_where_the_rules_are_off():
    for password in ("", "x", "password", "x" * 5000):
        PasswordRules(enforced=False).check(password, OWN)
        PasswordRules(enforced=False).check_api_token(password)


def test_an_api_token_that_somebody_chose_has_at_least_8_characters_or_none():
    PasswordRules().check_api_token("")
    PasswordRules().check_api_token("12345678x9")
    for token, why in (("1234567", "too short"), ("Password1", "common")):
        with pytest.raises(InvalidRequestError, match=why):
            PasswordRules().check_api_token(token)
