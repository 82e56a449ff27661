"""Hears of shared sessions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import ResponseError

from medusa_auth.errors import UnavailableError
from medusa_auth.store.hearing import MAX_NAMES
from medusa_auth.store.redis.changes import Watch, answer
from medusa_auth.store.redis.client import FAILURES, RedisClient
from medusa_auth.store.redis.shared_keys import BATCH, ENDED_KEY, FOREIGN_PREFIX, delete, end, hash_of, literal

__all__ = ["SharedWatch"]

_log = logging.getLogger(__name__)

# So many are ended between two questions to Redis, which are to be asked within `hearing.HEARD_WITHIN`.
AT_ONCE = 200
# How often it is looked whether keyspace events are still on, in seconds.
LOOK_EVERY = 1.0


class SharedWatch(Watch):
    """Hears of the other program's sessions; one that has ended and comes back is deleted again.

    That a session was deleted there is told by Redis's keyspace events. They are switched on if they are off and this
    user may do so; else a logout there that is undone at the same moment stays undone.
    """

    def __init__(self, client: RedisClient, life: timedelta, prefix: str = "") -> None:
        super().__init__(prefix + FOREIGN_PREFIX)
        self._client = client
        self._life = life
        self._key_prefix = prefix
        # What was heard of, and is still to be looked at, and to be ended.
        self._changed: set[str] = set()
        self._deleted: set[str] = set()
        self._sees_events = False
        self._look_at = 0.0

    def name(self, rest: str) -> str:
        return hash_of(rest)

    def set_up(self, connection: AbstractConnection) -> None:
        try:
            _switch_on_events(connection)
            self._sees_events = True
        except ResponseError:
            self._sees_events = False
            _log.warning("Redis does not let us see whether its keyspace events are on: they have to be (Kg)")
        try:
            _subscribe(connection, f"__keyspace@{connection.db}__:{literal(self.prefix)}*")
        except ResponseError:
            _log.warning("Redis does not let us hear what is deleted: a logout in Medusa may be undone by Medusa")
        # What came back while nobody listened.
        threading.Thread(target=self._look_through, name="ended sessions", daemon=True).start()

    def changed(self, rests: Collection[str]) -> None:
        self._changed.update(rests)
        self._catch_up()

    def deleted(self, rest: str) -> None:
        self._deleted.add(rest)
        self._catch_up()

    def answered(self, connections: Sequence[AbstractConnection]) -> None:
        if self._changed or self._deleted:
            self._catch_up()
        if self._sees_events and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            # Whatever else uses this Redis may have set other ones in the place of ours.
            were_off = [_switch_on_events(connection) for connection in connections]
            if any(were_off):
                _log.warning("Redis's keyspace events had been switched off: a logout in Medusa may have been undone")

    def _catch_up(self) -> None:
        """Do what was heard of; what cannot be done now waits for the next answer."""
        # A Redis that is full deletes, and adds nothing.
        for work in (self._end_deleted, self._delete_changed):
            with suppress(UnavailableError):
                self._client.call(work)
        if len(self._changed) + len(self._deleted) > MAX_NAMES:
            self._changed.clear()
            self._deleted.clear()
            _log.warning("sessions that have ended may have come back in Medusa")

    def _end_deleted(self, redis: Any) -> None:
        # Not all at once: meanwhile nothing else is heard.
        some = list(islice(self._deleted, AT_ONCE))
        end(redis, self._key_prefix, some, self._life)
        self._deleted.difference_update(some)

    def _delete_changed(self, redis: Any) -> None:
        if self._changed:
            self._delete_ended(self._changed, redis)
            self._changed.clear()

    def _delete_ended(self, rests: Collection[str], redis: Any) -> None:
        by_hash = {hash_of(rest): rest for rest in rests}
        scores = redis.zmscore(self._key_prefix + ENDED_KEY, list(by_hash))
        ended = [rest for rest, score in zip(by_hash.values(), scores, strict=True) if score is not None]
        delete(redis, self.prefix, ended)

    def _look_through(self) -> None:
        """Delete what has ended and is there."""
        # A client of its own: the other one is not asked before the first answer.
        try:
            with self._client.servers.client() as redis:
                keys = redis.scan_iter(match=literal(self.prefix) + "*", count=BATCH)
                while batch := list(islice(keys, BATCH)):
                    self._delete_ended({key.decode("utf-8", "replace")[len(self.prefix) :] for key in batch}, redis)
        except FAILURES:
            # Then it cannot be heard either, and this begins anew.
            _log.warning("sessions that have ended may have come back in Medusa")


def _switch_on_events(connection: AbstractConnection) -> bool:
    """Keyspace events (K) of generic commands (g), of which DEL is one; whether they were off.

    Raises ResponseError if this is not allowed.
    """
    connection.send_command("CONFIG", "GET", "notify-keyspace-events")
    (present,) = (value.decode() for value in answer(connection).values())
    if "K" in present and ("g" in present or "A" in present):
        return False
    connection.send_command("CONFIG", "SET", "notify-keyspace-events", present + "Kg")
    answer(connection)
    return True


def _subscribe(connection: AbstractConnection, pattern: str) -> None:
    """Raises ResponseError if this is not allowed."""
    connection.send_command("PSUBSCRIBE", pattern)
    # It is confirmed by a message, and not by an answer, which is to come here.
    connection.send_command("PING")
    try:
        answer(connection)
    except ResponseError:
        answer(connection)
        raise
