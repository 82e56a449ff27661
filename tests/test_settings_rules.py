"""Settings, variable by variable: the sentence of each refusal, and that no secret is ever shown."""

from __future__ import annotations

import ipaddress
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from medusa_auth.errors import SettingsError
from medusa_auth.setting_values import duration as parse_duration
from medusa_auth.settings import Settings, describe, from_env

LONG = "b2f1c0d4e5a697887766554433221100ffee"
SECRETS = ("JWT_SECRET", "COOKIE_SECRET", "MEDUSA_AUTH_JWT_SECRET_PREVIOUS", "MEDUSA_AUTH_COOKIE_SECRET_PREVIOUS")
VARIABLES = [each.metadata["env"] for each in fields(Settings) if each.metadata]


def read(folder: Path, **environ: str) -> Settings:
    return from_env(environ, data_dir=folder / "data")


def test_there_is_a_variable_for_every_setting_but_the_folder():
    assert {each.name for each in fields(Settings) if not each.metadata} == {"data_dir"}
    assert [name for name, _, _ in describe()] == VARIABLES
    assert len(set(VARIABLES)) == len(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_counts_as_unset(tmp_path: Path, name: str):
    assert read(tmp_path, **{name: ""}) == read(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("REDIS_URL", "redis://localhost", "redis_url", "redis://localhost"),
        ("MEDUSA_AUTH_HSTS", "off", "hsts", "off"),
        ("MEDUSA_AUTH_HSTS", "OFF", "hsts", "off"),
        ("MEDUSA_AUTH_HSTS", "0", "hsts", "off"),
        ("MEDUSA_AUTH_JWT_SECRET_PREVIOUS", f"{LONG}1 {LONG}2", "jwt_secrets_previous", (f"{LONG}1", f"{LONG}2")),
        (
            "MEDUSA_AUTH_COOKIE_SECRET_PREVIOUS",
            f" {LONG}1\n{LONG}2 ",
            "cookie_secrets_previous",
            (LONG + "1", LONG + "2"),
        ),
        ("MEDUSA_AUTH_ALLOW_WEAK_SECRETS", "TRUE", "allow_weak_secrets", True),
        ("MEDUSA_AUTH_API_PAGE", "No", "api_page", False),
        ("MEDUSA_AUTH_COOKIE_SAMESITE", "Strict", "cookie_same_site", "strict"),
        ("MEDUSA_AUTH_PASSWORD_SCHEME", "ARGON2ID", "password_scheme", "argon2id"),
        ("MEDUSA_AUTH_LOG_FORMAT", " console ", "log_format", "console"),
        (
            "MEDUSA_AUTH_TRUSTED_PROXIES",
            "10.0.0.0/8, ::1 192.0.2.1",
            "trusted_proxies",
            tuple(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "::1/128", "192.0.2.1/32")),
        ),
        ("ADMIN_CORS", "http://localhost:7001", "admin_cors", ("http://localhost:7001",)),
        ("ADMIN_CORS", "http://[::1]:7001", "admin_cors", ("http://[::1]:7001",)),
    ],
)
def test_a_value_is_read(tmp_path: Path, name: str, value: str, field: str, expected: object):
    assert getattr(read(tmp_path, **{name: value}), field) == expected


@pytest.mark.parametrize("name", SECRETS)
def test_the_first_secret_signs_and_those_before_it_only_verify(tmp_path: Path, name: str):
    given = {each: f"{LONG}{number}" for number, each in enumerate(SECRETS)}
    settings = read(tmp_path, **given)
    assert settings.jwt_keys == (LONG + "0", LONG + "2")
    assert settings.cookie_keys == (LONG + "1", LONG + "3")


def test_a_secret_that_is_set_makes_no_file(tmp_path: Path):
    read(tmp_path, JWT_SECRET=LONG, COOKIE_SECRET=LONG)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1", 1), ("3600", 3600), ("90s", 90), ("90m", 5400), ("10h", 36000), ("7d", 604800), ("5 m", 300)],
)
def test_a_duration_is_read(value: str, seconds: int):
    assert parse_duration(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["", "0", "0h", "00d", "-1", "+1", "1.5h", "1e3", "1w", "h", "1h30m", "1 0", "\u0661h", "1h\n", "9" * 10]
)
def test_what_is_no_duration_is_refused(value: str):
    with pytest.raises(ValueError, match="a duration such as"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "postgres:///db", "sqlite:/// and the path of a file"),
        ("DATABASE_URL", "sqlite://relative.db", "sqlite:/// and the path of a file"),
        ("DATABASE_URL", "/var/lib/x.db", "sqlite:/// and the path of a file"),
        ("DATABASE_URL", "sqlite:///store.db", "the whole path is needed"),
        ("MEDUSA_AUTH_TRUSTED_PROXIES", "10.0.0.1, 0.0.0.0/0", "everybody is no proxy"),
        ("MEDUSA_AUTH_TRUSTED_PROXIES", "::/0", "everybody is no proxy"),
        ("MEDUSA_AUTH_SESSION_LIFE", "36000000", "is seconds, here 416 days: write 416d if you mean it"),
        ("ADMIN_CORS", "*", "would let every site use the administrators' cookies"),
        ("ADMIN_CORS", "https://a.example/", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "https://a.example/path", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "https://a.example?q", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "https://a.example#f", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "ftp://a.example", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "file://", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "//a.example", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "null", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "https://A.Example", "is not written as browsers send it"),
        ("ADMIN_CORS", "HTTPS://a.example", "is not an origin such as https://admin.example.com"),
        ("ADMIN_CORS", "https://u:p@a.example", "is not written as browsers send it"),
        ("ADMIN_CORS", "https://good.example https://bad.example/", "'https://bad.example/' is not an origin"),
        ("MEDUSA_AUTH_TRUSTED_PROXIES", "10.0.0.1/8", "addresses or networks such as 10.0.0.0/8 are needed"),
        ("MEDUSA_AUTH_TRUSTED_PROXIES", "*", "addresses or networks such as 10.0.0.0/8 are needed"),
        ("MEDUSA_AUTH_PUBLIC_URL", "https://shop.example:https", "the port is not a number up to 65535"),
        ("MEDUSA_AUTH_HSTS", "max-age=1\r\nX-Other: 1", "a header can carry printable ASCII in one line"),
        ("MEDUSA_AUTH_REDIS_PREFIX", "shop\udcff:", "it is not UTF-8"),
        ("MEDUSA_AUTH_COOKIE_SAMESITE", "off", "one of lax, strict, none is needed"),
        ("MEDUSA_AUTH_PASSWORD_SCHEME", "bcrypt", "one of argon2id, scrypt is needed"),
        ("MEDUSA_AUTH_LOG_FORMAT", "text", "one of auto, json, console is needed"),
        ("MEDUSA_AUTH_SESSION_LIFE", "ten hours", "a duration such as 3600, 90m, 10h or 7d is needed"),
        ("MEDUSA_AUTH_SESSION_IDLE", "0", "a duration such as 3600, 90m, 10h or 7d is needed"),
        ("MEDUSA_AUTH_ACCESS_TOKEN_LIFE", "-1h", "a duration such as 3600, 90m, 10h or 7d is needed"),
        ("MEDUSA_AUTH_HASHING_THREADS", "0", "a whole number of at least 1 is needed"),
        ("MEDUSA_AUTH_HASHING_THREADS", "1.5", "a whole number of at least 1 is needed"),
        ("MEDUSA_AUTH_HASHING_QUEUE", "-1", "a whole number of at least 0 is needed"),
        ("MEDUSA_AUTH_IDENTITIES_CACHED", "1e4", "a whole number of at least 0 is needed"),
        ("MEDUSA_AUTH_API_PAGE", "2", "on or off is needed"),
        ("MEDUSA_AUTH_ALLOW_WEAK_SECRETS", "maybe", "on or off is needed"),
        ("MEDUSA_AUTH_SESSION_LIFE", "59m", "a session cannot be idle for longer than it lives"),
        ("MEDUSA_AUTH_SESSION_IDLE", "601m", "a session cannot be idle for longer than it lives"),
    ],
)
def test_a_refusal_names_the_variable_and_the_reason(tmp_path: Path, name: str, value: str, sentence: str):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, **{name: value})
    said = str(error.value)
    assert name in said
    assert sentence in said
    assert said.endswith(".")


def test_a_session_may_be_idle_for_as_long_as_it_lives(tmp_path: Path):
    settings = read(tmp_path, MEDUSA_AUTH_SESSION_LIFE="2h", MEDUSA_AUTH_SESSION_IDLE="2h")
    assert settings.session_idle == settings.session_life


@pytest.mark.asvs("11.2.3")
@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "secret", ["supersecret", "SUPERSECRET", "super-secret", "secret1234", "supersecret" * 5, "changeme!", "medusajs"]
)
def test_a_secret_that_everybody_knows_is_refused_also_where_weak_ones_are_allowed(
    tmp_path: Path, name: str, secret: str
):
    for weak in ("0", "1"):
        with pytest.raises(SettingsError, match="is a secret that everybody knows") as error:
            read(tmp_path, **{name: secret, "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": weak})
        assert secret not in str(error.value)


@pytest.mark.asvs("11.2.3")
def test_a_secret_that_everybody_knows_is_refused_from_a_file_too(tmp_path: Path):
    read(tmp_path)
    path = tmp_path / "data" / "jwt-secret"
    path.write_text("supersecret\n")
    with pytest.raises(SettingsError, match="everybody knows"):
        read(tmp_path, MEDUSA_AUTH_ALLOW_WEAK_SECRETS="1")


@pytest.mark.asvs("11.2.3")
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_measured_in_bytes_and_refused_without_being_shown(tmp_path: Path, name: str):
    with pytest.raises(SettingsError, match="is shorter than 32 bytes") as error:
        read(tmp_path, **{name: "CANARY" + LONG[:25]})
    assert "CANARY" not in str(error.value)
    read(tmp_path, **{name: "ü" * 16})
    read(tmp_path, **{name: LONG[:31], "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1"})


@pytest.mark.parametrize("name", ["JWT_SECRET", "COOKIE_SECRET"])
def test_a_secret_of_spaces_is_refused(tmp_path: Path, name: str):
    with pytest.raises(SettingsError, match=name):
        read(tmp_path, **{name: "   "})


def test_settings_without_a_secret_cannot_be_made(tmp_path: Path):
    settings = read(tmp_path)
    with pytest.raises(SettingsError, match="JWT_SECRET is empty"):
        replace(settings, jwt_secrets=())
    with pytest.raises(SettingsError, match="COOKIE_SECRET is empty"):
        replace(settings, cookie_secrets=())


@pytest.mark.asvs("14.2.4")
@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format], ids=["repr", "str", "format", "!r"])
def test_no_secret_is_shown_by_any_way_of_showing(tmp_path: Path, show: object):
    given = {name: f"{LONG}{number}" for number, name in enumerate(SECRETS)}
    settings = read(tmp_path, **given, REDIS_URL="redis://user:hunter2@localhost")
    assert callable(show)
    shown = show(settings)
    assert LONG not in shown
    assert "hunter2" not in shown
    assert "admin_cors" in shown


def test_settings_cannot_be_changed_and_can_be_handed_on(tmp_path: Path):
    settings = read(tmp_path)
    with pytest.raises(FrozenInstanceError):
        settings.hsts = "off"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_secret_that_is_no_utf_8_is_refused_with_a_sentence(tmp_path: Path):
    with pytest.raises(SettingsError, match="JWT_SECRET"):
        read(tmp_path, JWT_SECRET=b"\xff".decode("utf-8", "surrogateescape") * 40)


@pytest.mark.parametrize("name", ["MEDUSA_AUTH_SESSION_LIFE", "MEDUSA_AUTH_ACCESS_TOKEN_LIFE"])
def test_a_life_that_no_calendar_holds_is_refused_at_the_start(tmp_path: Path, name: str):
    with pytest.raises(SettingsError, match=name):
        read(tmp_path, **{name: "999999999d"})


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.example:443",
        "http://a.example:80",
        "https://a.example:99999",
        "https://a.example:",
        "https://ü.example",
    ],
)
def test_an_origin_that_no_browser_ever_sends_is_refused(tmp_path: Path, origin: str):
    with pytest.raises(SettingsError, match="ADMIN_CORS"):
        read(tmp_path, ADMIN_CORS=origin)
