"""The tables. `user` and `invite` are Medusa's own, name for name and type for type; ours start with `auth_`.

The keys and indexes of Medusa's tables have Medusa's names, so that a schema made here and one made by Medusa are the
same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Enum,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    TypeDecorator,
    false,
    func,
)
from sqlalchemy.types import TypeEngine

from medusa_auth.model import Role

__all__ = [
    "access_token_not_before",
    "access_token_revoked",
    "api_token",
    "change",
    "invite",
    "metadata",
    "outbox",
    "password_reset",
    "session",
    "session_ended",
    "user",
]


class UtcDateTime(TypeDecorator[datetime]):
    """`timestamp with time zone`; in SQLite, which has no times, text in UTC that sorts as they do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON; in PostgreSQL `jsonb`, as Medusa's."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON(none_as_null=True))
        # Here and not above: all of SQLAlchemy's PostgreSQL takes 2 MB, which a server on SQLite does without.
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415

        return dialect.type_descriptor(JSONB(none_as_null=True))


def _role(name: str) -> Enum:
    return Enum(*(role.value for role in Role), name=name)


metadata = MetaData()

user = Table(
    "user",
    metadata,
    Column("id", String),
    Column("email", String, nullable=False),
    Column("first_name", String),
    Column("last_name", String),
    Column("password_hash", String),
    Column("api_token", String),
    Column("created_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("updated_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("deleted_at", UtcDateTime),
    Column("metadata", Json),
    Column("role", _role("user_role_enum"), server_default=Role.MEMBER.value),
    PrimaryKeyConstraint("id", name="PK_cace4a159ff9f2512dd42373760"),
)
# On PostgreSQL it is as partial: the migration says so. To say it here would load what a server on SQLite does without.
Index(
    "IDX_ba8de19442d86957a3aa3b5006",
    user.c.email,
    unique=True,
    sqlite_where=user.c.deleted_at.is_(None),
)

invite = Table(
    "invite",
    metadata,
    Column("id", String),
    Column("user_email", String, nullable=False),
    Column("role", _role("invite_role_enum"), server_default=Role.MEMBER.value),
    Column("accepted", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("updated_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("deleted_at", UtcDateTime),
    Column("metadata", Json),
    Column("token", String, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="PK_fc9fa190e5a3c5d80604a4f63e1"),
)
Index("IDX_6b0ce4b4bcfd24491510bf19d1", invite.c.user_email, unique=True)

session = Table(
    "auth_session",
    metadata,
    Column("id_hash", String, primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("client", String),
    Column("user_agent", String),
)

# Of sessions that are kept elsewhere.
session_ended = Table(
    "auth_session_ended",
    metadata,
    Column("id_hash", String, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

access_token_not_before = Table(
    "auth_access_token_not_before",
    metadata,
    Column("user_id", String, primary_key=True),
    Column("moment", UtcDateTime, nullable=False),
)

access_token_revoked = Table(
    "auth_access_token_revoked",
    metadata,
    Column("token_id", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

api_token = Table(
    "auth_api_token",
    metadata,
    Column("id", String, primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("token_hash", String, nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
)

password_reset = Table(
    "auth_password_reset",
    metadata,
    Column("id_hash", String, primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("password_digest", String, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

outbox = Table(
    "auth_outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("recipient", String, nullable=False, index=True),
    Column("about", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Empty once it was sent.
    Column("next_try_at", UtcDateTime, index=True),
    Column("sent_at", UtcDateTime, index=True),
    sqlite_autoincrement=True,
)

# Who has to be forgotten, in the order of the commits. AUTOINCREMENT: a number is never given twice.
change = Table(
    "auth_change",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("user_id", String, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    sqlite_autoincrement=True,
)
