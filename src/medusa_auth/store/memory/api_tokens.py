"""API tokens in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from medusa_auth.errors import DuplicateError
from medusa_auth.model import ApiToken, User
from medusa_auth.store.memory.tables import Draft, Table, read, values
from medusa_auth.store.memory.users import MemoryUsers

__all__ = ["MemoryApiTokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(ApiToken):
    token_hash: str


class MemoryApiTokens:
    """`store.base.ApiTokens` of one transaction."""

    def __init__(self, draft: Draft) -> None:
        self._users = MemoryUsers(draft)
        self._tokens = Table[_Kept](draft, "api_token", "id", by=("token_hash", "user_id", "created_at"))

    def get(self, token_id: str) -> ApiToken | None:
        return read(self._tokens.get(token_id), ApiToken)

    def get_by_hash(self, token_hash: str) -> ApiToken | None:
        return read(next(self._tokens.where("token_hash", token_hash), None), ApiToken)

    def find_with_users(self, token_hashes: Sequence[str]) -> Mapping[str, tuple[ApiToken, User]]:
        return {
            token_hash: (token, user)
            for token_hash in token_hashes
            if (token := self.get_by_hash(token_hash)) and (user := self._users.get(token.user_id))
        }

    def list(self) -> Sequence[ApiToken]:
        return [ApiToken(**values(kept, ApiToken)) for kept in self._tokens.where("created_at")]

    def add(self, token: ApiToken, token_hash: str) -> None:
        if self.get_by_hash(token_hash) is not None:
            raise DuplicateError
        self._tokens.add(_Kept(**values(token, ApiToken), token_hash=token_hash))

    def touch(self, token_id: str, used_at: datetime) -> None:
        kept = self._tokens.get(token_id)
        if kept is not None and (kept.last_used_at is None or kept.last_used_at < used_at):
            self._tokens.put(replace(kept, last_used_at=used_at))

    def delete(self, token_id: str) -> str | None:
        kept = self._tokens.get(token_id)
        if kept is None:
            return None
        self._tokens.delete([kept])
        return kept.user_id

    def delete_of_user(self, user_id: str) -> int:
        return self._tokens.delete(self._tokens.where("user_id", user_id))

    def delete_named(self, user_id: str, name: str) -> int:
        return self._tokens.delete(kept for kept in self._tokens.where("user_id", user_id) if kept.name == name)
