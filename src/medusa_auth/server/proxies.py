"""Where a request really comes from: the connection tells, and so do proxies that are trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import Scope

from medusa_auth.setting_values import Network

__all__ = ["Origin", "Proxies"]


class Origin:
    """`client` is an address, `scheme` is `http` or `https`. What only few requests ask for is found when asked."""

    __slots__ = ("_headers", "_trusted", "client", "scheme")

    def __init__(self, headers: Headers, *, trusted: bool, client: str | None, scheme: str) -> None:
        self._headers = headers
        self._trusted = trusted
        self.client = client
        self.scheme = scheme

    @property
    def host(self) -> str:
        """What the client asked for, with its port if it named one."""
        forwarded = _first(self._headers.get("x-forwarded-host", "")) if self._trusted else ""
        return forwarded or self._headers.get("host", "")

    @property
    def ignored_proxy(self) -> str | None:
        """The address of a peer that said `X-Forwarded-Proto: https` and is not trusted."""
        says_https = _first(self._headers.get("x-forwarded-proto", "")) == "https"
        return self.client if says_https and not self._trusted and self.scheme != "https" else None


class Proxies:
    """Believes X-Forwarded-For, -Proto and -Host of the peers in `trusted`, and of nobody else."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)
        self._is_trusted = lru_cache(maxsize=1024)(self._in_trusted)

    def origin(self, scope: Scope, headers: Headers) -> Origin:
        """Where the request of `scope` comes from; `headers` are its own."""
        peer = scope["client"][0] if scope.get("client") else None
        if not self._trusted or not self._is_trusted(peer):
            return Origin(headers, trusted=False, client=peer, scheme=scope["scheme"])
        forwarded_proto = _first(headers.get("x-forwarded-proto", ""))
        return Origin(
            headers,
            trusted=True,
            client=self._client(headers.getlist("x-forwarded-for"), peer),
            scheme=forwarded_proto if forwarded_proto in {"http", "https"} else scope["scheme"],
        )

    def _client(self, forwarded_for: list[str], peer: str | None) -> str | None:
        """The last address that a trusted proxy did not add: those before it may be the client's own invention."""
        client = peer
        for address in reversed([part.strip() for line in forwarded_for for part in line.split(",")]):
            if _address(address) is None:
                break
            client = address
            if not self._is_trusted(address):
                break
        return client

    def _in_trusted(self, peer: str | None) -> bool:
        address = _address(peer or "")
        return address is not None and any(address in network for network in self._trusted)


def _first(value: str) -> str:
    """Of a list the first item, lower case: what the proxy nearest to the client said (as Medusa reads it)."""
    return value.partition(",")[0].strip().lower()


def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
