"""More than one Redis: a primary with a replica that Sentinels watch, and a Cluster."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from redis.exceptions import ResponseError
from tests.services.redis import RedisServer, redis_program, redis_server

SERVICE = "sessions"
# After how long a server that does not answer counts as down, in milliseconds.
DOWN_AFTER = 500
PATIENCE = 60.0
_CLUSTER = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", str(DOWN_AFTER)),
    *("--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"),
)


@dataclass(frozen=True)
class Watched:
    """`primary` and `replica` are so at the beginning."""

    primary: RedisServer
    replica: RedisServer
    sentinels: list[RedisServer]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"


@contextmanager
def watched_redis() -> Iterator[Watched]:
    """Three Sentinels that know of each other, over a primary and a replica that has all that the primary has."""
    with ExitStack() as stack:
        primary = stack.enter_context(redis_server("--repl-diskless-sync-delay", "0"))
        replica = stack.enter_context(
            redis_server("--replicaof", f"127.0.0.1 {primary.port}", "--repl-diskless-sync-delay", "0")
        )
        sentinels = [stack.enter_context(redis_server("--sentinel", own_file=True)) for _ in range(3)]
        for each in sentinels:
            each.say("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", primary.port, 2)
            each.say("SENTINEL", "SET", SERVICE, "down-after-milliseconds", DOWN_AFTER)
            each.say("SENTINEL", "SET", SERVICE, "failover-timeout", 2000)
        _wait(lambda: all(_knows_all(each) for each in sentinels))
        yield Watched(primary, replica, sentinels)


def _knows_all(sentinel: RedisServer) -> bool:
    state = sentinel.say("SENTINEL MASTER", SERVICE)
    return (state["num-other-sentinels"], state["num-slaves"]) == (2, 1)


class RedisCluster:
    """Servers of one Cluster; `servers` are the primaries first, as they were made."""

    def __init__(self, stack: ExitStack, servers: list[RedisServer]) -> None:
        self._stack = stack
        self.servers = servers

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{each.port}" for each in self.servers)

    def add_primary(self) -> RedisServer:
        """One that has no slots yet."""
        server = self._stack.enter_context(redis_server(*_CLUSTER, own_file=True))
        self._command("add-node", f"127.0.0.1:{server.port}", self._first)
        self.servers.append(server)
        _wait(self.is_whole)
        return server

    def add_replica(self, primary: RedisServer) -> RedisServer:
        server = self._stack.enter_context(redis_server(*_CLUSTER, own_file=True))
        server.say("CLUSTER", "MEET", "127.0.0.1", primary.port)
        name = primary.say("CLUSTER", "MYID").decode()
        _wait(lambda: _replicates(server, name))
        _wait(lambda: bool(server.say("INFO", "replication").get("master_link_status") == "up"))
        self.servers.append(server)
        _wait(self.is_whole)
        return server

    def move(self, slots: range, source: RedisServer, target: RedisServer) -> None:
        """With the keys that are in them."""
        names = [each.say("CLUSTER", "MYID").decode() for each in (source, target)]
        for slot in slots:
            target.say("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
            source.say("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
            keys = source.say("CLUSTER", "GETKEYSINSLOT", slot, 1000)
            if keys:
                source.say("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            for each in (target, source):
                each.say("CLUSTER", "SETSLOT", slot, "NODE", names[1])

    def is_whole(self) -> bool:
        """Whether each of them sees all, and all slots served."""
        return all(
            b"cluster_state:ok" in each.say("CLUSTER", "INFO")
            and f"cluster_known_nodes:{len(self.servers)}".encode() in each.say("CLUSTER", "INFO")
            for each in self.servers
        )

    @property
    def _first(self) -> str:
        return f"127.0.0.1:{self.servers[0].port}"

    def _command(self, *arguments: str) -> None:
        command = [str(redis_program("redis-cli")), "--cluster", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


@contextmanager
def redis_cluster() -> Iterator[RedisCluster]:
    """Three primaries that share the slots."""
    with ExitStack() as stack:
        servers = [stack.enter_context(redis_server(*_CLUSTER, own_file=True)) for _ in range(3)]
        cluster = RedisCluster(stack, servers)
        addresses = [f"127.0.0.1:{each.port}" for each in servers]
        cluster._command("create", *addresses, "--cluster-yes")
        _wait(cluster.is_whole)
        yield cluster


def _replicates(server: RedisServer, name: str) -> bool:
    try:
        server.say("CLUSTER", "REPLICATE", name)
    except ResponseError:
        # It does not know the other one yet.
        return False
    return True


def _wait(so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < until
        time.sleep(0.05)
