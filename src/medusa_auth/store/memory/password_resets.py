"""Password resets in memory."""

from __future__ import annotations

from datetime import datetime

from medusa_auth.model import PasswordReset
from medusa_auth.store.memory.tables import Draft, Table

__all__ = ["MemoryPasswordResets"]


class MemoryPasswordResets:
    """`store.base.PasswordResets` of one transaction."""

    def __init__(self, draft: Draft) -> None:
        self._resets = Table[PasswordReset](draft, "password_reset", "id_hash", by=("user_id", "expires_at"))

    def get(self, id_hash: str) -> PasswordReset | None:
        return self._resets.get(id_hash)

    def add(self, reset: PasswordReset) -> None:
        self._resets.add(reset)

    def delete_of_user(self, user_id: str) -> int:
        return self._resets.delete(self._resets.where("user_id", user_id))

    def delete_expired(self, now: datetime) -> int:
        return self._resets.delete(self._resets.until("expires_at", now))
