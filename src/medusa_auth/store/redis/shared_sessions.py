"""Sessions that are shared with a program which keeps them in Redis under `sess:<id>`, as Medusa v1 does.

Its text says whose a session is and what else is in it; our own record beside it says since when. That program writes a
session back at the end of every request, also one that has ended meanwhile: so an id that has ended is remembered in a
set, and whoever hears that its key has come back deletes it again.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from medusa_auth.errors import UnavailableError
from medusa_auth.model import Session, User
from medusa_auth.store.base import ForeignSession, ForeignSessions, Others
from medusa_auth.store.redis.changes import Watch, answer
from medusa_auth.store.redis.client import RedisClient
from medusa_auth.store.redis.sessions import MILLISECOND, SESSION_PREFIX, EndedSessions, RedisSessions, decode

__all__ = ["SessionSearch", "SharedSessions", "SharedWatch"]

_log = logging.getLogger(__name__)

FOREIGN_PREFIX = "sess:"
ID_PREFIX = "medusa-auth:session-id:"
ENDED_KEY = "medusa-auth:ended"
# A session that the other program made counts as begun this much later than it says. What ends all of a user's sessions
# does so with effect from the next whole second (`core.access_tokens`), and its next login must not be among them.
LATER = timedelta(seconds=1)
# How long the search for a user's sessions may hold up whoever asked for their end; it goes on without them.
SEARCH_SECONDS = 0.3
BATCH = 1000
# Stands where a session of ours says which browser it was made with.
ADOPTED = "(made by Medusa)"


class SharedSessions:
    """`store.base.Sessions` of one transaction. `life` is how long a session lives at most."""

    def __init__(
        self,
        client: RedisClient,
        ended: EndedSessions,
        foreign: ForeignSessions,
        life: timedelta,
        prefix: str = "",
    ) -> None:
        self._client = client
        self._ended = ended
        self._foreign = foreign
        self._life = life
        self._prefix = prefix
        # Kept for longer than a session lives: the other program may keep one for ever, and it has to be known as over.
        self._own = RedisSessions(client, ended, prefix, kept=2)
        self._waiting: list[Callable[[Any], object]] = []
        # What has ended in this transaction.
        self._gone: set[str] = set()

    def find(self, session_id: str, id_hash: str) -> Session | None:
        session = self._present(session_id, id_hash)
        if session is None or self._ended.has_ended(id_hash, session.user_id, session.created_at):
            return None
        return session

    def find_with_user(self, session_id: str, id_hash: str) -> tuple[Session, User] | None:
        session = self._present(session_id, id_hash)
        user = session and self._ended.living_user(id_hash, session.user_id, session.created_at)
        return (session, user) if session and user else None

    def get(self, id_hash: str) -> Session | None:
        session_id = self._session_id(id_hash)
        return None if session_id is None else self.find(session_id, id_hash)

    def add(self, session: Session, session_id: str, others: Others | None = None) -> None:
        self._own.add(session, session_id)
        self._waiting.append(lambda redis: self._remember_id(redis, session_id, session.id_hash))
        self._put(session_id, self._foreign.encode(session.user_id, others or {}, session.expires_at))

    def touch(self, id_hash: str, seen_at: datetime) -> None:
        self._own.touch(id_hash, seen_at)

    def delete(self, id_hash: str, session_id: str | None = None) -> str | None:
        session_id = session_id or self._session_id(id_hash)
        found = None if session_id is None or id_hash in self._gone else self._read(session_id, id_hash)
        own = self._own.present(id_hash)
        user_id = (found.user_id if found else None) or (own.user_id if own else None)
        if session_id is None or user_id is None:
            # One of nobody's stays: the other program would give the browser a new cookie in the place of ours.
            return None
        over_at = own.expires_at if own else found.seen_at + self._life if found else None
        self._own.delete(id_hash)
        self._end(session_id, id_hash, over_at)
        return user_id

    def delete_of_user(self, user_id: str) -> int:
        search = SessionSearch(self._client, self._foreign, self._life, self._prefix, user_id)
        found = search.run(time.monotonic() + SEARCH_SECONDS)
        for session_id, session in found.items():
            self._end(session_id, _hash(session_id), session.seen_at + self._life)
        if not search.is_done:
            _log.warning("there are very many sessions: those of a user are still being looked for, to be ended")
            # What is good again counts from the next whole second on at the earliest.
            since = math.floor(time.time()) + 1
            self._waiting.append(lambda _: search.go_on(since))
        return max(len(found), self._own.delete_of_user(user_id))

    def delete_expired(self, now: datetime) -> None:
        self._own.delete_expired(now)
        self._waiting.append(lambda redis: redis.zremrangebyscore(self._ended_key, "-inf", now.timestamp()))

    def find_others(self, session_id: str) -> Others | None:
        found = self._read(session_id, _hash(session_id))
        return found.others if found and found.others else None

    def add_others(self, session_id: str, others: Others, expires_at: datetime) -> None:
        self._put(session_id, self._foreign.encode(None, others, expires_at))

    def check_writable(self) -> None:
        self._own.check_writable()

    def flush(self) -> None:
        """Write what waits. Raises UnavailableError: then the transaction has to fail."""
        self._own.flush()
        for work in self._waiting:
            self._client.call(work)
        self._waiting.clear()

    @property
    def _ended_key(self) -> str:
        return self._prefix + ENDED_KEY

    def _key(self, session_id: str) -> str:
        return f"{self._prefix}{FOREIGN_PREFIX}{session_id}"

    def _present(self, session_id: str, id_hash: str) -> Session | None:
        """As Redis has it, whether all of its user's have ended or not."""
        found = None if id_hash in self._gone else self._read(session_id, id_hash)
        if found is None or found.user_id is None:
            return None
        session = self._own.present(id_hash)
        if session is None or session.user_id != found.user_id:
            session = self._adopted(session_id, id_hash, found, found.user_id)
        return replace(session, last_seen_at=max(session.last_seen_at, found.seen_at))

    def _read(self, session_id: str, id_hash: str) -> ForeignSession | None:
        def read(redis: Any) -> tuple[bytes | None, float | None]:
            with redis.pipeline(transaction=False) as pipeline:
                pipeline.get(self._key(session_id))
                pipeline.zscore(self._ended_key, id_hash)
                text, ended = pipeline.execute()
            return text, ended

        text, ended = self._client.call(read)
        return None if text is None or ended is not None else self._foreign.decode(text)

    def _adopted(self, session_id: str, id_hash: str, found: ForeignSession, user_id: str) -> Session:
        """Our record of a session that was made by the other program."""
        created_at = found.seen_at + LATER
        session = Session(id_hash, user_id, created_at, created_at, created_at + self._life, user_agent=ADOPTED)

        def keep(redis: Any) -> None:
            self._own.write(session, redis)
            self._remember_id(redis, session_id, id_hash)

        self._client.call(keep)
        return session

    def _remember_id(self, redis: Any, session_id: str, id_hash: str) -> None:
        redis.set(f"{self._prefix}{ID_PREFIX}{id_hash}", session_id, px=2 * self._life // MILLISECOND)

    def _session_id(self, id_hash: str) -> str | None:
        text = self._client.call(lambda redis: redis.get(f"{self._prefix}{ID_PREFIX}{id_hash}"))
        return None if text is None else str(text.decode())

    def _put(self, session_id: str, text: bytes) -> None:
        self._waiting.append(lambda redis: redis.set(self._key(session_id), text, px=self._life // MILLISECOND))

    def _end(self, session_id: str, id_hash: str, over_at: datetime | None) -> None:
        self._gone.add(id_hash)
        if over_at is not None:
            self._ended.add(id_hash, over_at + self._life)
        until = time.time() + 2 * self._life.total_seconds()

        def end(redis: Any) -> None:
            # In this order: what is written back between the two is deleted, and after both it is noticed.
            redis.zadd(self._ended_key, {id_hash: until})
            redis.delete(self._key(session_id))
            redis.delete(f"{self._prefix}{ID_PREFIX}{id_hash}")

        self._waiting.append(end)


class SessionSearch:
    """For the sessions of a user that the other program made, which are in no index: all of them are looked through."""

    def __init__(
        self, client: RedisClient, foreign: ForeignSessions, life: timedelta, prefix: str, user_id: str
    ) -> None:
        self._client = client
        self._foreign = foreign
        self._life = life
        self._prefix = prefix
        self._user_id = user_id
        self._keys: Iterator[bytes] | None = None
        self.is_done = False

    def run(self, until: float) -> dict[str, ForeignSession]:
        """What is found before `until`, on the monotonic clock. Raises UnavailableError."""
        found: dict[str, ForeignSession] = {}
        while not self.is_done and time.monotonic() < until:
            found |= self._client.call(self._next)
        return found

    def go_on(self, since: float) -> None:
        """End what is still found, in a thread that the process waits for when it ends.

        A session that we made stays if it counts as begun at `since` or later, in seconds since 1970. When one was
        begun that the other program made is not known: all of those end.
        """
        threading.Thread(target=self._end_rest, args=(since,), name="session search").start()

    def _end_rest(self, since: float) -> None:
        try:
            while not self.is_done:
                self._client.call(partial(self._end_next, since))
        except UnavailableError:
            _log.warning("some sessions of a user whose sessions were ended may be left in the other program")

    def _end_next(self, since: float, redis: Any) -> None:
        until = time.time() + 2 * self._life.total_seconds()
        for session_id in self._next(redis):
            own = decode(redis.get(f"{self._prefix}{SESSION_PREFIX}{_hash(session_id)}"))
            if own is None or own.user_agent == ADOPTED or own.created_at.timestamp() < since:
                _end_again(redis, self._prefix, [session_id], until)

    def _next(self, redis: Any) -> dict[str, ForeignSession]:
        if self._keys is None:
            pattern = _literal(self._prefix + FOREIGN_PREFIX) + "*"
            self._keys = iter(redis.scan_iter(match=pattern, count=BATCH))
        keys = list(islice(self._keys, BATCH))
        self.is_done = len(keys) < BATCH
        read = getattr(redis, "mget_nonatomic", redis.mget)
        texts = read(keys) if keys else []
        start = len(self._prefix + FOREIGN_PREFIX)
        named = self._user_id.encode()
        found = {}
        for key, text in zip(keys, texts, strict=True):
            # To look for the name first is much faster than to read each text.
            session = self._foreign.decode(text) if text is not None and named in text else None
            if session is not None and session.user_id == self._user_id:
                found[key.decode("utf-8", "replace")[start:]] = session
        return found


class SharedWatch(Watch):
    """Hears of the other program's sessions; one that has ended and comes back is deleted again.

    That a session was deleted there is told by Redis's keyspace events. They are switched on if they are off and this
    user may do so; else a logout there that is undone at the same moment stays undone.
    """

    def __init__(
        self, client: RedisClient, life: timedelta, prefix: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(prefix + FOREIGN_PREFIX)
        self._client = client
        self._life = life
        self._key_prefix = prefix
        self._clock = clock

    def name(self, rest: str) -> str:
        return _hash(rest)

    def set_up(self, connection: AbstractConnection) -> None:
        try:
            _switch_on_events(connection)
        except ResponseError:
            _log.warning("Redis does not let us see whether its keyspace events are on: they have to be (Kg)")
        try:
            _subscribe(connection, f"__keyspace@{connection.db}__:{_literal(self.prefix)}*")
        except ResponseError:
            _log.warning("Redis does not let us hear what is deleted: a logout in Medusa may be undone by Medusa")
        # What came back while nobody listened.
        threading.Thread(target=self._look_through, name="ended sessions", daemon=True).start()

    def changed(self, rests: Collection[str]) -> None:
        self._try(partial(self._delete_ended, rests))

    def deleted(self, rest: str) -> None:
        until = self._clock() + 2 * self._life.total_seconds()
        self._try(lambda redis: _end_again(redis, self._key_prefix, [rest], until))

    def _delete_ended(self, rests: Collection[str], redis: Any) -> None:
        by_hash = {_hash(rest): rest for rest in rests}
        scores = redis.zmscore(self._key_prefix + ENDED_KEY, list(by_hash))
        ended = [rest for rest, score in zip(by_hash.values(), scores, strict=True) if score is not None]
        _delete(redis, self._key_prefix, ended)

    def _look_through(self) -> None:
        """Delete what has ended and is there."""
        # A client of its own: the other one is not asked before the first answer.
        try:
            with self._client.servers.client() as redis:
                keys = redis.scan_iter(match=_literal(self.prefix) + "*", count=BATCH)
                while batch := list(islice(keys, BATCH)):
                    self._delete_ended({key.decode("utf-8", "replace")[len(self.prefix) :] for key in batch}, redis)
        except (RedisError, OSError):
            # Then it cannot be heard either, and this begins anew.
            _log.warning("sessions that have ended may have come back in Medusa")

    def _try(self, work: Callable[[Any], object]) -> None:
        try:
            self._client.call(work)
        except UnavailableError:
            _log.warning("a session that has ended may have come back in Medusa")


def _switch_on_events(connection: AbstractConnection) -> None:
    """Keyspace events (K) of generic commands (g), of which DEL is one. Raises ResponseError if this is not allowed."""
    connection.send_command("CONFIG", "GET", "notify-keyspace-events")
    (present,) = (value.decode() for value in answer(connection).values())
    if "K" not in present or not ("g" in present or "A" in present):
        connection.send_command("CONFIG", "SET", "notify-keyspace-events", present + "Kg")
        answer(connection)


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


def _end_again(redis: Any, prefix: str, session_ids: Collection[str], until: float) -> None:
    redis.zadd(prefix + ENDED_KEY, {_hash(session_id): until for session_id in session_ids})
    _delete(redis, prefix, session_ids)


def _delete(redis: Any, prefix: str, session_ids: Collection[str]) -> None:
    for session_id in session_ids:
        redis.delete(f"{prefix}{FOREIGN_PREFIX}{session_id}")


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def _literal(text: str) -> str:
    """`text` in a pattern of Redis's."""
    return "".join(f"\\{char}" if char in "*?[]\\^-" else char for char in text)
