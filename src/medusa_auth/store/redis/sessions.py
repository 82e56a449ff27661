"""Sessions in Redis: a JSON text under `medusa-auth:session:<id_hash>`, and for each user the set of them.

What is written waits for the end of the transaction, so that work that fails leaves nothing. It is written before SQL
commits: should that fail, a session nobody was told of stays until it expires, or one has ended that nobody was told
has. That a session has ended is kept in SQL as well: Redis may lose its last seconds, and an old copy may come back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import msgspec

from medusa_auth.model import Session, User
from medusa_auth.store.base import ForeignSession, Others
from medusa_auth.store.redis.client import RedisClient

__all__ = ["SESSION_PREFIX", "EndedSessions", "RedisSessions", "Undone", "decode"]

SESSION_PREFIX = "medusa-auth:session:"
OF_USER_PREFIX = "medusa-auth:sessions-of:"

# Lua, which Redis runs as one step: a session that ended meanwhile, or was touched by somebody else, stays as it is.
_REPLACE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL') end"
MILLISECOND = timedelta(milliseconds=1)
# So many of a user's sessions are read in one step, and for so long, of those that are over anyway.
AT_ONCE = 1000
ENDING_SECONDS = 0.2


class EndedSessions(Protocol):
    """What the transaction's database knows of them."""

    def has_ended(self, id_hash: str, user_id: str, created_at: datetime) -> bool: ...

    def living_users(self, sessions: Collection[Session]) -> Mapping[str, User]: ...

    def earliest(self, user_id: str) -> datetime | None: ...

    def add_all(self, expiries: Mapping[str, datetime]) -> None:
        """By `id_hash`, each remembered until its moment."""

    def delete_expired(self, now: datetime) -> None: ...


@dataclass
class Undone:
    """What a transaction has ended in Redis when it was undone in the database, and is done again.

    It counts as being there: else the next try would not know that there is anything to end. By `id_hash`, and what
    another program kept by the id.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    foreign: dict[str, ForeignSession] = field(default_factory=dict)


class RedisSessions:
    """`store.base.Sessions` of one transaction. `prefix` comes before every key; each is kept for `kept` lives."""

    def __init__(
        self, client: RedisClient, ended: EndedSessions, undone: Undone, prefix: str = "", *, kept: int = 1
    ) -> None:
        self._client = client
        self._undone = undone
        self._kept = kept
        self._ended = ended
        self._prefix = prefix
        # By `id_hash`, as it will be; None: gone.
        self._written: dict[str, Session | None] = {}
        self._waiting: list[Callable[[Any], object]] = []

    def find_with_users(self, id_hashes: Mapping[str, str]) -> Mapping[str, tuple[Session, User]]:
        present = self.present_ones([*id_hashes.values()])
        users = self._ended.living_users(present.values()) if present else {}
        return {
            session_id: (present[id_hash], users[id_hash])
            for session_id, id_hash in id_hashes.items()
            if id_hash in users
        }

    def get(self, id_hash: str) -> Session | None:
        session = self.present(id_hash)
        if session is None or self._ended.has_ended(id_hash, session.user_id, session.created_at):
            return None
        return session

    def add(self, session: Session, session_id: str, others: Others | None = None) -> None:  # noqa: ARG002
        earliest = self._ended.earliest(session.user_id)
        if earliest is not None and session.created_at < earliest:
            session = replace(session, created_at=earliest)
        self._written[session.id_hash] = session
        self._waiting.append(partial(self.write, session))

    def touch(self, id_hash: str, seen_at: datetime) -> None:
        session = self.present(id_hash)
        if session is not None and session.last_seen_at < seen_at:
            touched = replace(session, last_seen_at=seen_at)
            self._written[id_hash] = touched
            arguments = (self._key(id_hash), _encode(session), _encode(touched))
            self._waiting.append(lambda redis: redis.eval(_REPLACE, 1, *arguments))

    def delete(self, id_hash: str, session_id: str | None = None) -> str | None:  # noqa: ARG002
        session = self.present(id_hash)
        if session is None:
            return None
        self._end_all([session], [session])
        return session.user_id

    def delete_of_user(self, user_id: str) -> int:
        """Of very many, those that are over with all that the user had are left to expire: nobody takes them for good.

        A password has to be changed within the time of a transaction, however many sessions a thief has begun.
        """
        earliest, until, count = self._ended.earliest(user_id), time.monotonic() + ENDING_SECONDS, 0
        for id_hashes in self._of_user_newest_first(user_id):
            found = [each for each in self.present_ones(id_hashes).values() if each.user_id == user_id]
            remembered = [each for each in found if earliest is None or each.created_at >= earliest]
            self._end_all(found, remembered)
            count += len(found)
            if not remembered and time.monotonic() > until:
                break
        return count

    def _of_user_newest_first(self, user_id: str) -> Iterator[Sequence[str]]:
        """Their `id_hash`es, some at a time, and with the first of them what this transaction knows of anybody's."""
        known = self._written.keys() | self._undone.sessions.keys()
        end, is_last = -1, False
        while not is_last:
            names = self._client.call(partial(self._names, user_id, end))
            yield [*(known | {name.decode() for name in names})]
            known, end, is_last = set(), end - AT_ONCE, len(names) < AT_ONCE

    def delete_expired(self, now: datetime) -> None:
        """Redis does it by itself; what is kept of those that have ended goes here."""
        self._ended.delete_expired(now)

    def find_others(self, session_id: str) -> Others | None:  # noqa: ARG002
        return None

    def add_others(self, session_id: str, others: Others, expires_at: datetime) -> None:
        """Never asked for: there are no others."""

    def check_writable(self) -> None:
        """Redis refuses what changes nothing as well, if it has no memory left or takes no writes."""
        self._client.call(lambda redis: redis.set(self._key("none"), "", xx=True))

    def flush(self) -> None:
        """Write what waits. Raises UnavailableError: then the transaction has to fail."""
        for work in self._waiting:
            self._client.call(work)
        self._waiting.clear()

    def present(self, id_hash: str) -> Session | None:
        """As it is in Redis, or will be, whether it has ended or not."""
        if id_hash in self._written:
            return self._written[id_hash]
        found = decode(self._client.call(lambda redis: redis.get(self._key(id_hash))))
        return found or self._undone.sessions.get(id_hash)

    def present_ones(self, id_hashes: Sequence[str]) -> Mapping[str, Session]:
        """As `present`, of many, by `id_hash`; those that there are."""
        unread = [id_hash for id_hash in id_hashes if id_hash not in self._written]
        read = dict(zip(unread, self._client.call(partial(self._read, unread)), strict=True)) if unread else {}
        found = {id_hash: decode(text) or self._undone.sessions.get(id_hash) for id_hash, text in read.items()}
        found |= {id_hash: self._written[id_hash] for id_hash in id_hashes if id_hash in self._written}
        return {id_hash: session for id_hash, session in found.items() if session is not None}

    def write(self, session: Session, redis: Any) -> None:
        """At once. Raises RedisError."""
        life = self._kept * (session.expires_at - session.created_at) // MILLISECOND
        if life <= 0:
            return
        of_user = self._of_user(session.user_id)
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.zremrangebyscore(of_user, "-inf", session.created_at.timestamp())
            pipeline.zadd(of_user, {session.id_hash: session.created_at.timestamp() + life / 1000})
            # For as long as the session that lives the longest.
            pipeline.pexpire(of_user, life, nx=True)
            pipeline.pexpire(of_user, life, gt=True)
            pipeline.set(self._key(session.id_hash), _encode(session), px=life)
            pipeline.execute()

    def _names(self, user_id: str, end: int, redis: Any) -> Sequence[bytes]:
        names: Sequence[bytes] = redis.zrange(self._of_user(user_id), end - AT_ONCE + 1, end)
        return names

    def _read(self, id_hashes: Sequence[str], redis: Any) -> Sequence[bytes | None]:
        with redis.pipeline(transaction=False) as pipeline:
            for id_hash in id_hashes:
                pipeline.get(self._key(id_hash))
            texts: Sequence[bytes | None] = pipeline.execute()
        return texts

    def _end_all(self, sessions: Sequence[Session], remembered: Sequence[Session]) -> None:
        """That those of them which are `remembered` have ended is kept of each."""
        self._written.update((session.id_hash, None) for session in sessions)
        self._ended.add_all({session.id_hash: session.expires_at for session in remembered})

        def end(redis: Any) -> None:
            with redis.pipeline(transaction=False) as pipeline:
                for session in sessions:
                    pipeline.delete(self._key(session.id_hash))
                    pipeline.zrem(self._of_user(session.user_id), session.id_hash)
                pipeline.execute()
            self._undone.sessions.update((session.id_hash, session) for session in sessions)

        self._waiting.append(end)

    def _key(self, id_hash: str) -> str:
        return f"{self._prefix}{SESSION_PREFIX}{id_hash}"

    def _of_user(self, user_id: str) -> str:
        return f"{self._prefix}{OF_USER_PREFIX}{user_id}"


def _encode(session: Session) -> bytes:
    return msgspec.json.encode(session)


def decode(text: bytes | None) -> Session | None:
    """What is kept under `SESSION_PREFIX`; None if there is nothing."""
    if text is not None:
        # What somebody else wrote there is no session.
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            session = msgspec.json.decode(text, type=Session)
            if None not in {each.tzinfo for each in (session.created_at, session.last_seen_at, session.expires_at)}:
                return session
    return None
