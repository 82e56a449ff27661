"""Sessions that are shared with a program which keeps them in Redis under `sess:<id>`, as Medusa v1 does.

Its text says whose a session is and what else is in it; our own record beside it says since when. That program writes a
session back at the end of every request, also one that has ended meanwhile: so an id that has ended is remembered in a
set, and whoever hears that its key has come back deletes it again.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from medusa_auth.errors import UnavailableError
from medusa_auth.model import Session, User
from medusa_auth.store.base import ForeignSession, ForeignSessions, Others
from medusa_auth.store.redis.client import RedisClient
from medusa_auth.store.redis.session_search import ADOPTED, SessionSearch
from medusa_auth.store.redis.sessions import MILLISECOND, EndedSessions, RedisSessions, Undone
from medusa_auth.store.redis.shared_keys import ENDED_KEY, FOREIGN_PREFIX, delete, end, hash_of
from medusa_auth.store.turns import OneByOneError

__all__ = ["SharedSessions"]

_log = logging.getLogger(__name__)

ID_PREFIX = "medusa-auth:session-id:"
# A session that the other program made counts as begun this much later than it says. What ends all of a user's sessions
# does so with effect from the next whole second (`core.access_tokens`), and its next login must not be among them.
LATER = timedelta(seconds=1)
# How long the search for a user's sessions may hold up whoever asked for their end; it goes on without them.
SEARCH_SECONDS = 0.3
# And how many it ends before it does: each takes its time, here and in the database.
SEARCH_ENDS = 1000


class SharedSessions:
    """`store.base.Sessions` of one transaction. `life` is how long a session lives at most."""

    def __init__(
        self,
        client: RedisClient,
        ended: EndedSessions,
        undone: Undone,
        foreign: ForeignSessions,
        life: timedelta,
        prefix: str = "",
    ) -> None:
        self._client = client
        self._ended = ended
        self._undone = undone
        self._foreign = foreign
        self._life = life
        self._prefix = prefix
        # Kept for longer than a session lives: the other program may keep one for ever, and it has to be known as over.
        self._own = RedisSessions(client, ended, undone, prefix, kept=2)
        self._waiting: list[Callable[[Any], object]] = []
        # What has ended in this transaction.
        self._gone: set[str] = set()

    def find_with_users(self, id_hashes: Mapping[str, str]) -> Mapping[str, tuple[Session, User]]:
        present = self._present_ones(id_hashes)
        users = self._ended.living_users(present.values()) if present else {}
        return {
            session_id: (session, users[session.id_hash])
            for session_id, session in present.items()
            if session.id_hash in users
        }

    def get(self, id_hash: str) -> Session | None:
        session_id = self._session_id(id_hash)
        session = None if session_id is None else self._present_ones({session_id: id_hash}).get(session_id)
        if session is None or self._ended.has_ended(id_hash, session.user_id, session.created_at):
            return None
        return session

    def add(self, session: Session, session_id: str, others: Others | None = None) -> None:
        self._own.add(session, session_id)
        self._waiting.append(lambda redis: self._remember_id(redis, session_id, session.id_hash))
        self._put(session_id, self._foreign.encode(session.user_id, others or {}, session.expires_at))

    def touch(self, id_hash: str, seen_at: datetime) -> None:
        self._own.touch(id_hash, seen_at)

    def delete(self, id_hash: str, session_id: str | None = None) -> str | None:
        session_id = session_id or self._session_id(id_hash)
        found = None if session_id is None else self._read(session_id, id_hash)
        own = self._own.present(id_hash)
        user_id = (found.user_id if found else None) or (own.user_id if own else None)
        over_at = own.expires_at if own else found.seen_at + self._life if found else None
        if session_id is None or user_id is None or over_at is None:
            # One of nobody's stays: the other program would give the browser a new cookie in the place of ours.
            return None
        self._own.delete(id_hash)
        self._end({session_id: over_at}, {session_id: found} if found else {})
        return user_id

    def delete_of_user(self, user_id: str) -> int:
        search = SessionSearch(self._client, self._foreign, self._life, self._prefix, user_id)
        found = search.run(time.monotonic() + SEARCH_SECONDS, SEARCH_ENDS)
        found |= {name: session for name, session in self._undone.foreign.items() if session.user_id == user_id}
        self._end({session_id: session.seen_at + self._life for session_id, session in found.items()}, found)
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
        found = self._read(session_id, hash_of(session_id))
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

    def _present_ones(self, id_hashes: Mapping[str, str]) -> Mapping[str, Session]:
        """By the id, as Redis has them, whether all of their users' have ended or not."""
        found = self._read_all(id_hashes)
        own = self._own.present_ones([id_hashes[session_id] for session_id in found]) if found else {}
        present: dict[str, Session] = {}
        for session_id, foreign in found.items():
            id_hash, user_id = id_hashes[session_id], foreign.user_id
            if user_id is not None:
                session = own.get(id_hash)
                if session is None or session.user_id != user_id:
                    try:
                        session = self._adopted(session_id, id_hash, foreign, user_id)
                    except UnavailableError:
                        if len(id_hashes) > 1:
                            # Redis may be full, and still tell of all that are there already.
                            raise OneByOneError from None
                        raise
                present[session_id] = replace(session, last_seen_at=max(session.last_seen_at, foreign.seen_at))
        return present

    def _read(self, session_id: str, id_hash: str) -> ForeignSession | None:
        return self._read_all({session_id: id_hash}).get(session_id)

    def _read_all(self, id_hashes: Mapping[str, str]) -> Mapping[str, ForeignSession]:
        """By the id, those that there are and that have not ended."""

        def read(redis: Any) -> Sequence[Any]:
            with redis.pipeline(transaction=False) as pipeline:
                for session_id, id_hash in id_hashes.items():
                    pipeline.get(self._key(session_id))
                    pipeline.zscore(self._ended_key, id_hash)
                answers: Sequence[Any] = pipeline.execute()
            return answers

        answers = self._client.call(read)
        found: dict[str, ForeignSession] = {}
        for (session_id, id_hash), text, ended in zip(id_hashes.items(), answers[::2], answers[1::2], strict=True):
            foreign = self._undone.foreign.get(session_id)
            if text is not None and ended is None:
                foreign = self._foreign.decode(text)
            if foreign is not None and id_hash not in self._gone:
                found[session_id] = foreign
        return found

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
        if text is None:
            return next((name for name in self._undone.foreign if hash_of(name) == id_hash), None)
        return str(text.decode())

    def _put(self, session_id: str, text: bytes) -> None:
        self._waiting.append(lambda redis: redis.set(self._key(session_id), text, px=self._life // MILLISECOND))

    def _end(self, over: Mapping[str, datetime], found: Mapping[str, ForeignSession]) -> None:
        """Those with these ids; each would be over at its moment. `found` is what the other program has of them."""
        by_hash = {hash_of(session_id): moment + self._life for session_id, moment in over.items()}
        self._gone |= by_hash.keys()
        self._ended.add_all(by_hash)
        self._waiting.append(partial(self._end_there, over, found))

    def _end_there(self, session_ids: Collection[str], found: Mapping[str, ForeignSession], redis: Any) -> None:
        end(redis, self._prefix, session_ids, self._life)
        delete(redis, self._prefix + ID_PREFIX, [hash_of(session_id) for session_id in session_ids])
        self._undone.foreign.update(found)
