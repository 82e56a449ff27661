"""The options of a client, and what may be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from medusa_auth import InvalidRequestError, Medusa, SettingsError
from medusa_auth.client.config import Config, check_headers, read_base_url, read_path


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://localhost:9000", "http://localhost:9000/admin/auth"),
        ("http://localhost:9000/", "http://localhost:9000/admin/auth"),
        ("https://shop.example.com/medusa", "https://shop.example.com/medusa/admin/auth"),
        ("https://shop.example.com/medusa/", "https://shop.example.com/medusa/admin/auth"),
        ("HTTP://LOCALHOST", "http://localhost/admin/auth"),
        ("http://[::1]:9000", "http://[::1]:9000/admin/auth"),
    ],
)
def test_a_path_is_put_behind_the_base_url(base_url: str, address: str) -> None:
    assert str(Config(read_base_url(base_url)).url("/admin/auth")) == address


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "localhost:9000",
        "//localhost",
        "/admin",
        "ftp://localhost",
        "http://",
        "http://localhost:port",
        "http://localhost:65536",
        "http://localhost?a=1",
        "http://localhost#a",
        None,
        b"http://localhost",
    ],
)
def test_a_base_url_that_is_not_http_is_refused_at_once(base_url: Any) -> None:
    with pytest.raises(SettingsError, match="base_url must"):
        Medusa(base_url)


@pytest.mark.parametrize("base_url", ["http://admin:a-secret@localhost", "http://admin:a-se/cret@localhost"])
def test_a_base_url_with_a_password_is_refused_without_showing_it(base_url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Medusa(base_url)
    assert "a-se" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_retries": -1}, "max_retries"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1.0}, "timeout"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "a-secret\n"}, "api_key"),
        ({"publishable_api_key": " a-secret"}, "publishable_api_key"),
        ({"publishable_api_key": "a-secret\u2026"}, "publishable_api_key"),
        ({"custom_headers": {"X-A": "a-secret\r\nX-B: 1"}}, "X-A"),
        ({"custom_headers": {"X A": "a-secret"}}, "X A"),
    ],
)
def test_a_wrong_option_is_named_and_no_key_is_shown(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Medusa("http://localhost", **options)
    assert "a-secret" not in str(caught.value)


def test_a_header_that_is_not_text_is_a_type_error() -> None:
    for headers in ({"X-A": None}, {b"X-A": "1"}, [("X-A", "1")], "X-A: 1"):
        with pytest.raises(TypeError, match="dict of str to str"):
            check_headers(headers)  # type: ignore[arg-type]


def test_a_client_shows_its_address_and_no_key() -> None:
    with Medusa("http://localhost:9000/shop", api_key="a-secret", publishable_api_key="a-secret") as medusa:
        assert repr(medusa) == "Medusa('http://localhost:9000/shop')"
    assert "a-secret" not in repr(Config(read_base_url("http://localhost"), 0, "a-secret", "a-secret"))


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/admin/users", "/admin/users"),
        ("admin/users/reset-password", "/admin/users/reset-password"),
        ("/admin/users?q=a%20b&next=http://other/../x", "/admin/users?q=a%20b&next=http://other/../x"),
        ("/admin/users/a..b", "/admin/users/a..b"),
        ("", "/"),
    ],
)
def test_a_path_may_lack_its_first_slash(path: str, read: str) -> None:
    assert read_path(path) == read


@pytest.mark.parametrize(
    "path",
    [
        "http://other.example.com/admin/auth",
        "https://localhost:9000/admin/auth",
        "//other.example.com/admin/auth",
        "///other.example.com",
        "\\\\other.example.com",
        "/admin/../../other",
        "/admin/%2e%2E/other",
        "/admin/./auth",
        "/admin/users/a b",
        "/admin/users\r\nX-Other: 1",
        "/admin/users#fragment",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequestError, match="a path"):
        read_path(path)
