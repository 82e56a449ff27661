"""Sessions in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from medusa_auth.model import Session, User
from medusa_auth.store.base import Others
from medusa_auth.store.memory.tables import Draft, Table
from medusa_auth.store.memory.users import MemoryUsers

__all__ = ["MemorySessions"]


class MemorySessions:
    """`store.base.Sessions` of one transaction."""

    def __init__(self, draft: Draft) -> None:
        self._users = MemoryUsers(draft)
        self._sessions = Table[Session](draft, "session", "id_hash", by=("user_id", "expires_at"))

    def find_with_users(self, id_hashes: Mapping[str, str]) -> Mapping[str, tuple[Session, User]]:
        present = {session_id: self.get(id_hash) for session_id, id_hash in id_hashes.items()}
        return {
            session_id: (session, user)
            for session_id, session in present.items()
            if session and (user := self._users.get(session.user_id))
        }

    def get(self, id_hash: str) -> Session | None:
        return self._sessions.get(id_hash)

    def add(self, session: Session, session_id: str, others: Others | None = None) -> None:  # noqa: ARG002 - ours alone
        self._sessions.add(session)

    def touch(self, id_hash: str, seen_at: datetime) -> None:
        session = self.get(id_hash)
        if session is not None and session.last_seen_at < seen_at:
            self._sessions.put(replace(session, last_seen_at=seen_at))

    def delete(self, id_hash: str, session_id: str | None = None) -> str | None:  # noqa: ARG002
        session = self.get(id_hash)
        if session is None:
            return None
        self._sessions.delete([session])
        return session.user_id

    def delete_of_user(self, user_id: str) -> int:
        return self._sessions.delete(self._sessions.where("user_id", user_id))

    def delete_expired(self, now: datetime) -> None:
        self._sessions.delete(self._sessions.until("expires_at", now))

    def find_others(self, session_id: str) -> Others | None:  # noqa: ARG002
        return None

    def check_writable(self) -> None:
        """One can be added at any time."""

    def add_others(self, session_id: str, others: Others, expires_at: datetime) -> None:
        """Never asked for: there are no others."""
