"""What a Redis URL leads to: one server, one that Sentinels watch, or a Cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from redis import Connection, ConnectionPool, Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import AbstractConnection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

__all__ = ["Servers", "UrlError", "servers_of"]

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


class UrlError(ValueError):
    """The sentence holds nothing of the URL that may be a password."""


def servers_of(url: str) -> Servers:
    """Raises UrlError."""
    try:
        match = _KINDS.fullmatch(url)
        if match is None:
            return _Single(url)
        hosts, first = _split(match[1], match[3])
        return _Sentinels(hosts, first) if match[2] == "sentinel" else _Cluster(hosts, first)
    except UrlError:
        raise
    except ValueError:
        # What it complains of may be a part of the password that was taken for a port.
        raise UrlError("it cannot be read; see that all of :/?#@% in the password are percent-encoded") from None
    except TypeError:
        raise UrlError("it has an option after the ? that is not known") from None
    except RedisError:
        # Nothing is connected to yet, so it is of what was read.
        raise UrlError("it has an option after the ? whose value is not known") from None


def _options(retry: int) -> dict[str, Any]:
    return {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "protocol": 3,
        "decode_responses": False,
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
        raise UrlError("a host is missing")
    first = f"{scheme}://{login}{at}{addresses.partition(',')[0]}{mark}{tail}"
    return [(each.hostname or "", each.port) for each in hosts], first


def _without_address(url: str) -> dict[str, Any]:
    """What the URL says besides; over TLS, `ssl`."""
    options = _read(url)
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    return options | ({"ssl": True} if url.startswith("rediss:") else {})


def _read(url: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(parse_url(url))
    parts = urlsplit(url)
    if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]*", parts.path):
        raise UrlError("what comes after the host is the number of a database")
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not Path(options[name]).is_file():
            raise UrlError(f"{name} is not a file")
    return options


class _Single:
    many = False

    def __init__(self, url: str) -> None:
        self._url_options = _read(url)
        # Connects to nothing, but knows its options.
        self.listeners()

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
            raise UrlError("redis+sentinel:// needs the service's name after the hosts")
        options = _without_address(parts._replace(path=f"/{db}").geturl())
        login = {name: options.pop(f"sentinel_{name}", options.get(name)) for name in ("username", "password")}
        self._options = options
        _listener("", 0, options)
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
        if self._options.pop("db", 0):
            raise UrlError("a Cluster has no databases with numbers")
        _listener("", 0, self._options)

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
