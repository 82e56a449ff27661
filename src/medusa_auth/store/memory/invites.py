"""Invites in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medusa_auth.errors import DuplicateError
from medusa_auth.model import Invite
from medusa_auth.store.memory.tables import Draft, Table, read, values

__all__ = ["MemoryInvites"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(Invite):
    token_hash: str


class MemoryInvites:
    """`store.base.Invites` of one transaction."""

    def __init__(self, draft: Draft) -> None:
        self._invites = Table[_Kept](draft, "invite", "id", by=("user_email", "token_hash", "created_at"))

    def get(self, invite_id: str) -> Invite | None:
        return read(self._invites.get(invite_id), Invite)

    def get_by_email(self, user_email: str) -> Invite | None:
        return read(next(self._invites.where("user_email", user_email), None), Invite)

    def get_by_token_hash(self, token_hash: str) -> Invite | None:
        return read(next(self._invites.where("token_hash", token_hash), None), Invite)

    def list(self) -> Sequence[Invite]:
        return [Invite(**values(kept, Invite)) for kept in self._invites.where("created_at")]

    def put(self, invite: Invite, token_hash: str) -> None:
        if any(other.id != invite.id for other in self._invites.where("user_email", invite.user_email)):
            raise DuplicateError(f"Invite with user_email {invite.user_email} already exists.")
        self._invites.put(_Kept(**values(invite, Invite), token_hash=token_hash))

    def delete(self, invite_id: str) -> bool:
        return self._invites.delete(self._invites.where("id", invite_id)) == 1
