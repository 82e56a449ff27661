"""A row of another store as it is kept here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from medusa_auth.core.users import normalized_email
from medusa_auth.model import Role
from medusa_auth.store.importing import EARLIEST, LATEST, InviteRow, SourceInvite, SourceUser, UserRow

__all__ = ["UnfitError", "invite_row", "user_row"]


class UnfitError(Exception):
    """What cannot be kept, in words."""


def user_row(row: SourceUser) -> UserRow:
    """Raises UnfitError."""
    return UserRow(
        id=row.id,
        email=normalized_email(row.email),
        role=_role(row.role),
        first_name=row.first_name,
        last_name=row.last_name,
        metadata=_metadata(row.metadata),
        created_at=_time(row.created_at),
        updated_at=_time(row.updated_at),
        deleted_at=None if row.deleted_at is None else _time(row.deleted_at),
        password_hash=row.password_hash,
    )


def invite_row(row: SourceInvite) -> InviteRow:
    """Raises UnfitError."""
    return InviteRow(
        id=row.id,
        user_email=normalized_email(row.user_email),
        role=_role(row.role),
        metadata=_metadata(row.metadata),
        created_at=_time(row.created_at),
        updated_at=_time(row.updated_at),
        expires_at=_time(row.expires_at),
    )


def _role(role: str | None) -> str | None:
    if role is not None and role not in set(Role):
        raise UnfitError(f"its role, {role}, is none of {', '.join(Role)}")
    return role


def _time(moment: datetime) -> datetime:
    if moment in {EARLIEST, LATEST}:
        raise UnfitError("one of its times is out of bounds")
    return moment


def _metadata(text: str | None) -> Mapping[str, Any] | None:
    try:
        metadata = None if text is None else json.loads(text)
        # A number that is larger than any is read as infinity, and could not be written again.
        json.dumps(metadata, allow_nan=False)
    except (ValueError, RecursionError):
        raise UnfitError("its metadata cannot be kept: it has a number that is too large, or is too deep") from None
    if metadata is not None and not isinstance(metadata, dict):
        raise UnfitError("its metadata cannot be kept: it is no object")
    return metadata
