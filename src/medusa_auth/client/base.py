"""What Medusa and AsyncMedusa share: everything but the network."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar
from random import Random
from typing import Any, Generic, TypeVar

import httpx2

from medusa_auth.client.calls import Call
from medusa_auth.client.config import Config, read_base_url
from medusa_auth.client.cookies import Cookies
from medusa_auth.client.flows import Flows
from medusa_auth.client.replies import Reply
from medusa_auth.errors import ConnectionError, SettingsError, TimeoutError, UnexpectedAnswerError  # noqa: A004 - this package's

__all__ = ["MedusaBase", "network_errors", "reply_to"]

TransportT = TypeVar("TransportT")
HttpT = TypeVar("HttpT")

DEFAULT_TIMEOUT = 30.0  # seconds; medusa-js waits for ever


class _NoCookies(CookieJar):
    """httpx2's own jar, which keeps nothing: each cookie is handled once, by `Cookies`."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Keep nothing, and parse nothing."""

    def add_cookie_header(self, request: object) -> None:
        """Send nothing."""


class MedusaBase(ABC, Generic[TransportT, HttpT]):
    """The options and the state of one client: one backend, one administrator.

    Args:
        base_url: Where Medusa is, such as `http://localhost:9000`; may have a path prefix.
        max_retries: How many more requests a call may make after one that failed in passing.
        api_key: The administrator's API token.
        publishable_api_key: The sales channel's key.
        custom_headers: Sent with every call; they win over the client's own.
        timeout: Seconds without any progress, after which an answer is given up; None waits for ever.
        transport: An httpx2 transport: a proxy, other TLS settings, an application to call in place.
        cookies: The jar, such as one that was filled from a file.
        random: Where the jitter and the idempotency keys come from.
        sleep: How to wait between retries, in seconds.

    Raises SettingsError. May be shared between threads (AsyncMedusa: between tasks): each request carries the token
    and the cookies that are known when it is sent, and what one call learns the next one knows.
    """

    _default_sleep: Callable[[float], Any]

    def __init__(
        self,
        base_url: str,
        *,
        max_retries: int = 0,
        api_key: str | None = None,
        publishable_api_key: str | None = None,
        custom_headers: Mapping[str, str] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        transport: TransportT | None = None,
        cookies: Cookies | None = None,
        random: Random | None = None,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        if timeout is not None and timeout <= 0:
            raise SettingsError(f"timeout is in seconds, more than 0, not {timeout}")
        config = Config(read_base_url(base_url), max_retries, api_key, publishable_api_key, dict(custom_headers or {}))
        self._flows = Flows(config, Cookies() if cookies is None else cookies, random)
        self._sleep = self._default_sleep if sleep is None else sleep
        self._http = self._open(transport=transport, timeout=timeout, cookies=_NoCookies(), follow_redirects=False)

    @property
    def cookies(self) -> Cookies:
        """The client's cookies: `dump` and `load` keep a session from one run of a program to the next."""
        return self._flows.cookies

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._flows.config.base_url)!r})"

    @abstractmethod
    def _open(self, **options: Any) -> HttpT:
        """The httpx2 client with these options."""

    def _request(self, call: Call) -> httpx2.Request:
        """`call` as it goes out, with the cookies that are known now."""
        url = self._flows.config.url(call.path)
        request = httpx2.Request(call.method, url, headers=call.headers, content=call.content or None)
        cookie = self.cookies.header(url)
        if cookie and "cookie" not in request.headers:
            request.headers.update([(b"Cookie", cookie.encode("latin-1"))])
        return request

    def _received(self, response: httpx2.Response) -> Reply:
        """The reply in `response`, whose cookies are kept."""
        received = [value.decode("latin-1") for name, value in response.headers.raw if name.lower() == b"set-cookie"]
        self.cookies.store(response.request.url, received)
        return reply_to(response)


def reply_to(response: httpx2.Response) -> Reply:
    """`response`, whose body has been read, as a flow reads it."""
    return Reply(response.status_code, dict(response.headers.multi_items()), response.content, time.time())


@contextmanager
def network_errors(request: httpx2.Request) -> Iterator[None]:
    """Raises this package's errors in place of httpx2's. No message shows a query, a header or a body."""
    target = f"{request.method} {request.url.copy_with(query=None)}"
    try:
        yield
    except httpx2.TimeoutException as error:
        raise TimeoutError(f"no answer in time to {target}") from error
    except httpx2.DecodingError as error:
        raise UnexpectedAnswerError(f"the answer to {target} is not in the encoding that it says: {error}") from error
    except (httpx2.TransportError, UnicodeError) as error:
        raise ConnectionError(f"no answer to {target}: {str(error) or type(error).__name__}") from error
