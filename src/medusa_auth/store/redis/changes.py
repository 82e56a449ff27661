"""`Changes` of what is in Redis: server-assisted tracking (`CLIENT TRACKING ON BCAST`), which threads read.

Redis tells of every key with the prefix that somebody changes, whoever it is, within milliseconds, and before it
answers what is asked after the change was acknowledged: see `store.hearing`.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Collection, Sequence, Set
from contextlib import suppress
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import ReadOnlyError, RedisError, TimeoutError  # noqa: A004 - the builtin is not meant here

from medusa_auth.store.hearing import ASK_EVERY, CONNECT_AGAIN_AFTER, HEARD_WITHIN, Hearing, steady
from medusa_auth.store.redis.client import RedisClient

__all__ = ["RedisChanges", "Watch", "answer"]

# What redis-py gives instead of an answer when a message has come.
_MESSAGE = object()


class Watch:
    """Keys that begin with `prefix`; the rest of each is the name that is told."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def set_up(self, connection: AbstractConnection) -> None:
        """Ask for more, on a new connection."""

    def name(self, rest: str) -> str:
        return rest

    def changed(self, rests: Collection[str]) -> None:
        """Called by the thread that listens, with the rests of the keys that have changed."""

    def deleted(self, rest: str) -> None:
        """As `changed`, of a key that was deleted, if `set_up` has asked for that."""

    def answered(self, connections: Sequence[AbstractConnection]) -> None:
        """Called by that thread when Redis has answered: what could not be done a moment ago may be possible now."""


class _OtherServersError(RedisError):
    """The Cluster has grown, shrunk or found a new primary: some servers are not listened to."""


class RedisChanges:
    """Hears of what changes from now on. `clock` is in seconds, and never stands."""

    delay = HEARD_WITHIN

    def __init__(self, client: RedisClient, watch: Watch, clock: Callable[[], float] = steady) -> None:
        self._client = client
        self._watch = watch
        self._clock = clock
        self._hearing = Hearing(clock)
        # Written to when it is over: whoever waits for a message hears of that, too.
        self._woken, self._waking = socket.socketpair()
        self._was_away = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis changes", daemon=True)
        self._thread.start()
        self._hearing.wait()

    def poll(self) -> Collection[str] | None:
        return self._hearing.poll()

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._waking.send(b".")
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self._woken.close()
            self._waking.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            connections: Sequence[AbstractConnection] = ()
            try:
                connections = self._client.servers.listeners()
                self._listen(connections)
            except Exception as error:  # noqa: BLE001 - whatever it is: a thread that has ended never hears again
                self._lost(error)
                self._closed.wait(CONNECT_AGAIN_AFTER)
            finally:
                for connection in connections:
                    connection.disconnect()

    def _lost(self, error: Exception) -> None:
        self._hearing.lost()
        if isinstance(error, _OtherServersError):
            return
        self._was_away = True
        self._client.failures.tell(error)
        # That nobody listens is no reason not to ask: then nothing is cached, and that is all.
        away = isinstance(error, (TimeoutError, ReadOnlyError)) or not self._client.answers()
        self._client.set_away(away=away)

    def _listen(self, connections: Sequence[AbstractConnection]) -> None:
        servers = {self._set_up(connection) for connection in connections}
        self._hearing.connected()
        arrival = select.poll()
        arrival.register(self._woken, select.POLLIN)
        for connection in connections:
            arrival.register(_socket(connection), select.POLLIN)
        while not self._closed.is_set():
            self._ask(connections, servers)
            if not any(connection.can_read(0) for connection in connections):
                arrival.poll(ASK_EVERY * 1000)

    def _set_up(self, connection: AbstractConnection) -> bytes:
        """The server's name in its Cluster, if it is in one."""
        connection.connect()
        parser: Any = connection._parser  # noqa: SLF001 - redis-py has no other name for it
        parser.set_invalidation_push_handler(self._invalidated)
        parser.set_pubsub_push_handler(self._published)
        connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", self._watch.prefix)
        answer(connection)
        self._watch.set_up(connection)
        if not self._client.servers.many:
            return b""
        connection.send_command("CLUSTER", "MYID")
        return bytes(answer(connection))

    def _ask(self, connections: Sequence[AbstractConnection], servers: Set[bytes]) -> None:
        """With the answer come the messages before it."""
        many = self._client.servers.many
        asked_at = self._clock()
        for connection in connections:
            connection.send_command("ROLE")
            if many:
                connection.send_command("CLUSTER", "SLOTS")
        for connection in connections:
            if answer(connection)[0] != b"master":
                raise ReadOnlyError("it takes no writes any more")
            # Each slot's range, and then who has it.
            if many and {bytes(slots[2][2]) for slots in answer(connection)} != servers:
                raise _OtherServersError
        self._hearing.up_to(asked_at)
        self._client.set_away(away=False)
        self._watch.answered(connections)
        if self._was_away:
            self._was_away = False
            self._client.failures.over()

    def _invalidated(self, message: Sequence[Any]) -> object:
        keys: Sequence[bytes] | None = message[1]
        if keys is None:
            # FLUSHALL or FLUSHDB.
            self._hearing.miss()
            return _MESSAGE
        rests = {self._rest(key) for key in keys}
        self._hearing.add([self._watch.name(rest) for rest in rests])
        self._watch.changed(rests)
        return _MESSAGE

    def _published(self, message: Sequence[Any]) -> object:
        if message[0] == b"pmessage" and message[3] == b"del":
            self._watch.deleted(self._rest(message[2].partition(b":")[2]))
        return _MESSAGE

    def _rest(self, key: bytes) -> str:
        return key.decode("utf-8", "replace")[len(self._watch.prefix) :]


def _socket(connection: AbstractConnection) -> int:
    found: Any = connection._sock  # noqa: SLF001 - as above
    return int(found.fileno())


def answer(connection: AbstractConnection) -> Any:
    """The answer to the oldest question; messages before it are handled on the way."""
    while True:
        answer = connection.read_response(push_request=True)
        if answer is not _MESSAGE:
            return answer
