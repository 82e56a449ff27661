"""Ended access tokens in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from medusa_auth.store.base import TokenState
from medusa_auth.store.memory.tables import Draft, Table
from medusa_auth.store.memory.users import MemoryUsers

__all__ = ["MemoryAccessTokens"]


@dataclass(frozen=True, slots=True)
class _NotBefore:
    user_id: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class _Revoked:
    token_id: str
    expires_at: datetime


class MemoryAccessTokens:
    """`store.base.AccessTokens` of one transaction."""

    def __init__(self, draft: Draft) -> None:
        self._users = MemoryUsers(draft)
        self._not_before = Table[_NotBefore](draft, "not_before", "user_id")
        self._revoked = Table[_Revoked](draft, "revoked", "token_id", by=("expires_at",))

    def not_before(self, user_id: str) -> datetime | None:
        row = self._not_before.get(user_id)
        return None if row is None else row.moment

    def find_users(self, tokens: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], TokenState]:
        return {
            (user_id, token_id): TokenState(user, self.not_before(user_id), self.is_revoked(token_id))
            for user_id, token_id in tokens
            if (user := self._users.get(user_id))
        }

    def set_not_before(self, user_id: str, moment: datetime) -> None:
        self._not_before.put(_NotBefore(user_id, moment))

    def is_revoked(self, token_id: str) -> bool:
        return self._revoked.get(token_id) is not None

    def revoke(self, token_id: str, user_id: str, expires_at: datetime) -> None:  # noqa: ARG002 - nobody asks for whose
        if not self.is_revoked(token_id):
            self._revoked.add(_Revoked(token_id, expires_at))

    def delete_expired(self, now: datetime) -> int:
        return self._revoked.delete(self._revoked.until("expires_at", now))
