"""The search for a user's shared sessions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from medusa_auth.errors import UnavailableError
from medusa_auth.store.base import ForeignSession, ForeignSessions
from medusa_auth.store.redis.client import RedisClient
from medusa_auth.store.redis.sessions import SESSION_PREFIX, decode
from medusa_auth.store.redis.shared_keys import FOREIGN_PREFIX, end, hash_of, literal, pages

__all__ = ["ADOPTED", "SessionSearch"]

_log = logging.getLogger(__name__)

# So long a Redis that is away is waited for: a server that ends has half a minute.
PATIENCE_SECONDS = 25.0
AGAIN_AFTER = 0.5

# Stands where a session of ours says which browser it was made with.
ADOPTED = "(made by Medusa)"


class SessionSearch:
    """For the sessions of a user that the other program made, which are in no index: all of them are looked through."""

    # Many users may be deleted at once. All searches together would be so slow that none got its answers in time.
    _turn = threading.Lock()

    def __init__(
        self, client: RedisClient, foreign: ForeignSessions, life: timedelta, prefix: str, user_id: str
    ) -> None:
        self._client = client
        self._foreign = foreign
        self._life = life
        self._prefix = prefix
        self._user_id = user_id
        self._pages: Iterator[Sequence[bytes]] | None = None
        self.is_done = False

    def run(self, until: float, most: int) -> dict[str, ForeignSession]:
        """What is found before `until`, on the monotonic clock, or before it is `most`. Raises UnavailableError."""
        found: dict[str, ForeignSession] = {}
        while not self.is_done and len(found) < most and time.monotonic() < until:
            found |= self._client.call(self._next)
        return found

    def go_on(self, since: float) -> None:
        """End what is still found, in a thread that the process waits for when it ends.

        A session that we made stays if it counts as begun at `since` or later, in seconds since 1970. When one was
        begun that the other program made is not known: all of those end.
        """
        threading.Thread(target=self._end_rest, args=(since,), name="session search").start()

    def _end_rest(self, since: float) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        with self._turn:
            self._end_rest_in_turn(since, until)

    def _end_rest_in_turn(self, since: float, until: float) -> None:
        search = self
        while not search.is_done:
            try:
                self._client.call(partial(search._end_next, since))
            except UnavailableError:
                if time.monotonic() > until:
                    _log.warning("some sessions of a user whose sessions were ended may be left in the other program")
                    return
                time.sleep(AGAIN_AFTER)
                # Where the search stood is not known any more.
                search = SessionSearch(self._client, self._foreign, self._life, self._prefix, self._user_id)

    def _end_next(self, since: float, redis: Any) -> None:
        found = self._next(redis)
        end(redis, self._prefix, [each for each in found if self._is_from_before(since, each, redis)], self._life)

    def _is_from_before(self, since: float, session_id: str, redis: Any) -> bool:
        own = decode(redis.get(f"{self._prefix}{SESSION_PREFIX}{hash_of(session_id)}"))
        return own is None or own.user_agent == ADOPTED or own.created_at.timestamp() < since

    def _next(self, redis: Any) -> dict[str, ForeignSession]:
        if self._pages is None:
            self._pages = pages(redis, literal(self._prefix + FOREIGN_PREFIX) + "*")
        keys = next(self._pages, None)
        self.is_done = keys is None
        read = getattr(redis, "mget_nonatomic", redis.mget)
        texts = read(keys) if keys else []
        start = len(self._prefix + FOREIGN_PREFIX)
        named = self._user_id.encode()
        found = {}
        for key, text in zip(keys or (), texts, strict=True):
            # To look for the name first is much faster than to read each text.
            session = self._foreign.decode(text) if text is not None and named in text else None
            if session is not None and session.user_id == self._user_id:
                found[key.decode("utf-8", "replace")[start:]] = session
        return found
