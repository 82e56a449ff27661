"""What a Redis URL leads to: one server, one that Sentinels watch, or a Cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from redis import Connection, ConnectionPool, Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import AbstractConnection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

__all__ = ["Servers", "servers_of"]

# Together with the database's share it stays below the second within which an answer is promised.
ANSWER_SECONDS = 0.4
SENTINEL_PORT, REDIS_PORT = 26379, 6379

_KINDS = re.compile(r"(rediss?)\+(sentinel|cluster)://(.*)")


class Servers(Protocol):
    """How they are asked, and how they are listened to. `many`: others may join at any time."""

    many: bool

    def client(self) -> Redis | RedisCluster:
        """Raises RedisError: a Cluster is asked for its shape."""

    def listeners(self) -> Sequence[AbstractConnection]:
        """One for each server that takes writes, not connected yet. Raises RedisError."""


def servers_of(url: str) -> Servers:
    """Raises ValueError, with a sentence that holds no password."""
    match = _KINDS.fullmatch(url)
    if match is None:
        return _Single(url)
    hosts, first = _split(match[1], match[3])
    return _Sentinels(hosts, first) if match[2] == "sentinel" else _Cluster(hosts, first)


def _options(retry: int) -> dict[str, Any]:
    return {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "protocol": 3,
        # A connection that the server has closed is replaced at once; who does not answer is not asked again.
        "retry": Retry(NoBackoff(), retry, supported_errors=(RedisConnectionError,)),
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


# Whoever listens connects anew by itself, for it has to know that it did.
_ASKING = {**_options(retry=1), "client_name": "medusa-auth"}
_LISTENING = {**_options(retry=0), "client_name": "medusa-auth-changes"}


def _split(scheme: str, rest: str) -> tuple[Sequence[tuple[str, int | None]], str]:
    """The hosts before the path, and the URL as if there were only the first of them."""
    authority, mark, tail = re.fullmatch(r"([^/?]*)([/?]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    login, at, addresses = authority.rpartition("@")
    hosts = [urlsplit(f"//{each}") for each in addresses.split(",")]
    if not all(each.hostname for each in hosts):
        raise ValueError("a host is missing")
    first = f"{scheme}://{login}{at}{addresses.partition(',')[0]}{mark}{tail}"
    return [(each.hostname or "", each.port) for each in hosts], first


def _without_address(url: str) -> dict[str, Any]:
    """What the URL says besides; over TLS, `ssl`."""
    options: dict[str, Any] = dict(parse_url(url))
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    return options | ({"ssl": True} if url.startswith("rediss:") else {})


class _Single:
    many = False

    def __init__(self, url: str) -> None:
        self._url_options: dict[str, Any] = dict(parse_url(url))

    def client(self) -> Redis:
        return Redis(connection_pool=ConnectionPool(**{**self._url_options, **_ASKING}))

    def listeners(self) -> Sequence[AbstractConnection]:
        options = {**self._url_options, **_LISTENING}
        return [options.pop("connection_class", Connection)(**options)]


class _Sentinels:
    """The Sentinels have the servers' user and password, unless the URL ends with `?sentinel_password=...`."""

    many = False

    def __init__(self, hosts: Sequence[tuple[str, int | None]], url: str) -> None:
        parts = urlsplit(url)
        self._service, _, db = parts.path.strip("/").partition("/")
        if not self._service:
            raise ValueError("redis+sentinel:// needs the service's name after the hosts")
        options = _without_address(parts._replace(path=f"/{db}").geturl())
        login = {name: options.pop(f"sentinel_{name}", options.get(name)) for name in ("username", "password")}
        self._options = options
        shared = {name: value for name, value in options.items() if name.startswith("ssl")}
        self._sentinel = Sentinel(
            [(host, port or SENTINEL_PORT) for host, port in hosts],
            sentinel_kwargs={**login, **shared, **_ASKING},
            **{**options, **_ASKING},
        )

    def client(self) -> Redis:
        client: Redis = self._sentinel.master_for(self._service)
        return client

    def listeners(self) -> Sequence[AbstractConnection]:
        host, port = self._sentinel.discover_master(self._service)
        return [_listener(host, port, self._options)]


class _Cluster:
    many = True

    def __init__(self, hosts: Sequence[tuple[str, int | None]], url: str) -> None:
        self._hosts = [(host, port or REDIS_PORT) for host, port in hosts]
        self._options = _without_address(url)
        self._options.pop("db", None)

    def client(self) -> RedisCluster:
        nodes = [ClusterNode(host, port) for host, port in self._hosts]
        return RedisCluster(startup_nodes=nodes, **{**self._options, **_ASKING})

    def listeners(self) -> Sequence[AbstractConnection]:
        # The shape of this moment: a client would keep an older one.
        cluster = self.client()
        try:
            return [_listener(node.host, node.port, self._options) for node in cluster.get_primaries()]
        finally:
            cluster.close()


def _listener(host: str, port: int, options: Mapping[str, Any]) -> AbstractConnection:
    options = {**options, **_LISTENING}
    connection_class = SSLConnection if options.pop("ssl", False) else Connection
    return connection_class(host=host, port=port, **options)
