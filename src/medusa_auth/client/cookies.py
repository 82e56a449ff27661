"""The cookies of one client, kept and sent as browsers do: RFC 6265 sections 5.3 and 5.4.

The jar of the standard library, which httpx2 uses, fails 51 of the 222 vectors of the http-state working group.
There is no list of public suffixes here, for none is needed: a client talks to one origin, and a cookie that is set
too widely goes nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from threading import Lock
from typing import Any

import httpx2
import msgspec

from medusa_auth.client.set_cookie import SetCookie, is_sendable, parse_set_cookie

__all__ = ["Cookie", "Cookies"]

# RFC 6265 section 6.1 asks for at least so many. Past them the oldest goes.
MAX_PER_DOMAIN = 50
MAX_COOKIES = 3000


class Cookie(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cookie that is kept. `expires` is in seconds since 1970; None: when the session ends."""

    name: str
    value: str
    domain: str
    path: str
    host_only: bool = True
    secure: bool = False
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Cookie(name={self.name!r}, value=..., domain={self.domain!r}, path={self.path!r})"


class Cookies:
    """A jar. Safe to share between threads.

    Args:
        clock: The time in seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        # The order is that of creation, which RFC 6265 section 5.4 asks for: a cookie that is replaced keeps its place.
        self._kept: dict[tuple[str, str, str], Cookie] = {}

    def store(self, url: httpx2.URL, headers: Iterable[str]) -> None:
        """Take in the Set-Cookie `headers` (as Latin-1) of an answer from `url`; what breaks a rule is ignored."""
        now = self._clock()
        for header in headers:
            received = parse_set_cookie(header, now)
            cookie = received and _accepted(received, url)
            if cookie:
                self._keep(cookie, now)

    def header(self, url: httpx2.URL) -> str | None:
        """The value of the Cookie header (as Latin-1) for a request to `url`; None when there is nothing to send."""
        now = self._clock()
        with self._lock:
            self._drop_expired(now)
            sent = [cookie for cookie in self._kept.values() if _goes_to(cookie, url)]
        sent.sort(key=lambda cookie: len(cookie.path), reverse=True)
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in sent) or None

    def discard(self, name: str) -> None:
        """Forget every cookie of that name."""
        with self._lock:
            self._kept = {key: cookie for key, cookie in self._kept.items() if cookie.name != name}

    def clear(self) -> None:
        """Forget every cookie."""
        with self._lock:
            self._kept.clear()

    def dump(self) -> list[dict[str, Any]]:
        """The cookies as values that JSON can hold, for `load`. They are secrets: whoever has them is logged in."""
        return [msgspec.to_builtins(cookie) for cookie in self]

    def load(self, cookies: Iterable[Mapping[str, Any]]) -> None:
        """Add what `dump` gave. Raises ValueError, and adds nothing, when one of `cookies` is not from there."""
        try:
            loaded = [msgspec.convert(cookie, Cookie) for cookie in cookies]
        except msgspec.ValidationError as error:
            raise ValueError(f"not a cookie that dump() gave: {error}") from None
        if not all(is_sendable(cookie.name, cookie.value) for cookie in loaded):
            raise ValueError("not a cookie that dump() gave: its name or value cannot be sent")
        for cookie in loaded:
            self._keep(cookie, self._clock())

    def __iter__(self) -> Iterator[Cookie]:
        with self._lock:
            self._drop_expired(self._clock())
            return iter(list(self._kept.values()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Cookies({list(self)!r})"

    def _keep(self, cookie: Cookie, now: float) -> None:
        with self._lock:
            self._kept[cookie.domain, cookie.path, cookie.name] = cookie
            self._drop_expired(now)
            self._drop_oldest(MAX_PER_DOMAIN, cookie.domain)
            self._drop_oldest(MAX_COOKIES)

    def _drop_expired(self, now: float) -> None:
        for key, cookie in list(self._kept.items()):
            if cookie.expires is not None and cookie.expires <= now:
                del self._kept[key]

    def _drop_oldest(self, limit: int, domain: str | None = None) -> None:
        if len(self._kept) <= limit:
            return
        keys = [key for key in self._kept if domain in (None, key[0])]
        for key in keys[: max(0, len(keys) - limit)]:
            del self._kept[key]


def _accepted(received: SetCookie, url: httpx2.URL) -> Cookie | None:
    """`received` as a cookie for the host of `url`; None when that host may not set it (RFC 6265 section 5.3)."""
    host = _host(url)
    domain = received.domain or host
    if received.secure and not _is_trustworthy(url):
        return None
    # A domain of one label, such as `org`, is a public suffix or the host itself (step 5).
    if not _domain_match(host, domain) or ("." not in domain and domain != host):
        return None
    return Cookie(
        name=received.name,
        value=received.value,
        domain=domain,
        path=received.path or _default_path(_path(url)),
        host_only=received.domain in (None, "") or "." not in domain,
        secure=received.secure,
        expires=received.expires,
    )


def _goes_to(cookie: Cookie, url: httpx2.URL) -> bool:
    host = _host(url)
    return (
        (host == cookie.domain if cookie.host_only else _domain_match(host, cookie.domain))
        and _path_match(_path(url), cookie.path)
        and (not cookie.secure or _is_trustworthy(url))
    )


def _domain_match(host: str, domain: str) -> bool:
    """RFC 6265 section 5.1.3: an address matches itself only."""
    return host == domain or (host.endswith("." + domain) and not _is_address(host))


def _path_match(path: str, cookie_path: str) -> bool:
    """RFC 6265 section 5.1.4."""
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")


def _default_path(path: str) -> str:
    """RFC 6265 section 5.1.4: the folder of `path`."""
    return path.rpartition("/")[0] or "/"


def _is_trustworthy(url: httpx2.URL) -> bool:
    """Whether Secure cookies travel to `url`: over https, or to this very machine.

    For the latter see W3C Secure Contexts section 3.1, which browsers follow; RFC 6265bis section 5.7 step 13 lets
    them.
    """
    host = _host(url)
    if url.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii").lower()


def _path(url: httpx2.URL) -> str:
    return url.raw_path.partition(b"?")[0].decode("ascii")
