"""The options of a client, as medusa-js has them, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx2

from medusa_auth.errors import InvalidRequestError, SettingsError

__all__ = ["Config", "check_headers", "read_base_url", "read_path"]

_LAST_PORT = 65535
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_PATH = re.compile(r"/?(?!/)[^\x00-\x20\x7f\\#]*")


@dataclass(frozen=True, slots=True)
class Config:
    """What a client is told once. The keys do not show in the repr.

    Raises SettingsError, which names the option and never shows a key.
    """

    base_url: httpx2.URL
    max_retries: int = 0
    api_key: str | None = field(default=None, repr=False)
    publishable_api_key: str | None = field(default=None, repr=False)
    custom_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.max_retries < 0:
            raise SettingsError(f"max_retries is the number of requests after the first, not {self.max_retries}")
        if "" in (self.api_key, self.publishable_api_key):
            raise SettingsError("api_key and publishable_api_key must not be empty; leave out what you do not have")
        keys = {"api_key": self.api_key, "publishable_api_key": self.publishable_api_key}
        try:
            check_headers({name: key for name, key in keys.items() if key is not None})
            check_headers(self.custom_headers)
        except InvalidRequestError as error:
            raise SettingsError(error.message) from None

    def url(self, path: str) -> httpx2.URL:
        """The address of `path`, which begins with a slash and may hold a query."""
        return httpx2.URL(str(self.base_url).rstrip("/") + path)


def read_base_url(text: str) -> httpx2.URL:
    """The address of a backend, which may have a path prefix.

    Raises SettingsError for what is not http or https, has a query, or a user and password: those end up in logs.
    """
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, TypeError):
        raise SettingsError("base_url must be an address such as http://localhost:9000") from None
    if url.userinfo:
        raise SettingsError("base_url must not hold a user or a password")
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) > _LAST_PORT:
        raise SettingsError(f"base_url must be an http or https address such as http://localhost:9000, not {text!r}")
    if url.query or url.fragment:
        raise SettingsError(f"base_url must not have a query or a fragment: {text!r}")
    return url


def read_path(path: str) -> str:
    """`path` with a slash in front.

    Raises InvalidRequestError for what could lead out of the base URL, where the credentials must not go: a whole
    address, `//host`, `..`; and for what an address cannot hold, such as a space, which the caller has to encode.
    """
    if "://" in path.partition("?")[0] or not _PATH.fullmatch(path):
        raise InvalidRequestError("a path is below the base URL, such as /admin/users, and percent-encoded")
    if not {".", ".."}.isdisjoint(unquote(path.partition("?")[0]).split("/")):
        raise InvalidRequestError("a path must not hold . or .. between slashes")
    return "/" + path.removeprefix("/")


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises TypeError for what is not text, InvalidRequestError for what no header can hold. No value is shown."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers are a dict of str to str, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError("headers are text: a dict of str to str")
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidRequestError(f"{name!r} cannot be the name of a header")
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise InvalidRequestError(f"{name} must be printable ASCII, without a space or line break at its ends")
