"""Invites in SQL, in Medusa's table. In its column `token` is the hash of what makes the token good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from medusa_auth.errors import DuplicateError
from medusa_auth.model import Invite, Role
from medusa_auth.store.sql import tables

__all__ = ["SqlInvites"]

_invite = tables.invite
_open = (_invite.c.deleted_at.is_(None), _invite.c.accepted.is_(False))
_columns = (
    _invite.c.id,
    _invite.c.user_email,
    _invite.c.role,
    _invite.c.created_at,
    _invite.c.updated_at,
    _invite.c.expires_at,
)


def _read(row: Row[*tuple[Any, ...]]) -> Invite:
    return Invite(
        id=row.id,
        user_email=row.user_email,
        role=Role(row.role or Role.MEMBER),
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
    )


class SqlInvites:
    """`store.base.Invites` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, invite_id: str) -> Invite | None:
        return self._get(_invite.c.id == invite_id)

    def get_by_email(self, user_email: str) -> Invite | None:
        return self._get(_invite.c.user_email == user_email)

    def get_by_token_hash(self, token_hash: str) -> Invite | None:
        return self._get(_invite.c.token == token_hash)

    def list(self) -> Sequence[Invite]:
        query = select(*_columns).where(*_open).order_by(_invite.c.created_at, _invite.c.id)
        return [_read(row) for row in self._connection.execute(query)]

    def put(self, invite: Invite, token_hash: str) -> None:
        values = asdict(invite) | {"role": invite.role.value, "token": token_hash}
        again = update(_invite).where(_invite.c.id == invite.id).values(values)
        try:
            if not self._connection.execute(again).rowcount:
                self._connection.execute(insert(_invite).values(values))
        except IntegrityError:
            raise DuplicateError(f"Invite with user_email {invite.user_email} already exists.") from None

    def delete(self, invite_id: str) -> bool:
        return self._connection.execute(delete(_invite).where(_invite.c.id == invite_id)).rowcount == 1

    def _get(self, condition: ColumnElement[bool]) -> Invite | None:
        row = self._connection.execute(select(*_columns).where(condition, *_open)).first()
        return None if row is None else _read(row)
