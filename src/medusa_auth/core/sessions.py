"""Sessions: start, find, end.

A session id is 192 random bits (NIST SP 800-63B-4, 5.1 asks for 64, ASVS 5.0 V7.2.3 for 128) as 32 characters of
base64url, the form of Medusa's. Only its SHA-256 is kept. A session ends at the earliest of logout, its absolute life
and its idle limit; the store and the server decide, never the cookie's own expiry.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from medusa_auth.core.clocks import KEPT_AFTER_END
from medusa_auth.core.ids import Random, secret_hash
from medusa_auth.model import Context, Session, User
from medusa_auth.store.base import Others, Transaction

__all__ = ["TOUCH_EVERY", "SessionRules", "Sessions"]

SESSION_ID_BYTES = 24
# How precisely the last use is known, and so the idle limit: a write for each request would be dearer than the check.
TOUCH_EVERY = timedelta(minutes=1)
# Longer ones are cut: what an operator reads of a browser is at the beginning, and a header may be 64 KiB.
USER_AGENT_LENGTH = 256


@dataclass(frozen=True, slots=True)
class SessionRules:
    """`life`: from the login on, whatever happens. `idle`: since the last use, known to within `touch_every`."""

    life: timedelta
    idle: timedelta

    def is_over(self, session: Session, now: datetime) -> bool:
        return now >= session.expires_at or now >= session.last_seen_at + self.idle

    @property
    def touch_every(self) -> timedelta:
        """How long the last use is not written again; never so long that a session in use would pass for idle."""
        return min(TOUCH_EVERY, self.idle / 5)

    def due_at(self, session: Session) -> datetime:
        """From when on the last use has to be written again."""
        return session.last_seen_at + self.touch_every


class Sessions:
    """The rules of sessions, over a transaction of the caller's."""

    def __init__(self, rules: SessionRules, random: Random = os.urandom) -> None:
        self.rules = rules
        self._random = random

    def start(
        self, tx: Transaction, user: User, context: Context, now: datetime, others: Others | None = None
    ) -> tuple[str, Session]:
        """The id of a new session of `user`, which nobody else will ever see again, and its record."""
        session_id = self._new_id()
        session = Session(
            id_hash=secret_hash(session_id),
            user_id=user.id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + self.rules.life,
            client=context.client,
            user_agent=context.user_agent and context.user_agent[:USER_AGENT_LENGTH],
        )
        tx.sessions.delete_expired(now - KEPT_AFTER_END)
        tx.sessions.add(session, session_id, others)
        return session_id, session

    def find_with_users(self, tx: Transaction, session_ids: Sequence[str]) -> Mapping[str, tuple[Session, User]]:
        """By the id, those that there are, each with its user; `rules` tell whether one is over."""
        return tx.sessions.find_with_users({session_id: secret_hash(session_id) for session_id in session_ids})

    def end(self, tx: Transaction, session_id: str, now: datetime) -> Others | None:
        """End it everywhere, and tell what others kept in it; ending one that does not exist is no error."""
        others = tx.sessions.find_others(session_id)
        user_id = tx.sessions.delete(secret_hash(session_id), session_id)
        if user_id is not None:
            tx.announce(user_id, now)
        return others

    def leave(self, tx: Transaction, others: Others, now: datetime) -> tuple[str, datetime]:
        """The id and the end of a new session that is nobody's, with what others kept in the one before."""
        session_id, expires_at = self._new_id(), now + self.rules.life
        tx.sessions.add_others(session_id, others, expires_at)
        return session_id, expires_at

    def _new_id(self) -> str:
        return base64.urlsafe_b64encode(self._random(SESSION_ID_BYTES)).decode()
