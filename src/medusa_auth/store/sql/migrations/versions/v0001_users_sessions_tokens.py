"""Users and invites as Medusa has them, sessions, access tokens, API tokens, announcements."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_ROLES = ("admin", "member", "developer")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _json() -> Any:
    return sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make what is missing: where Medusa's tables stand already, they are left as they are."""
    standing = sa.inspect(op.get_bind()).get_table_names()
    if "user" not in standing:
        _make_user()
    if "invite" not in standing:
        _make_invite()
    _make_ours()


def _make_user() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.String),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("first_name", sa.String),
        sa.Column("last_name", sa.String),
        sa.Column("password_hash", sa.String),
        sa.Column("api_token", sa.String),
        sa.Column("created_at", _time(), nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", _time(), nullable=False, server_default=sa.func.now()),
        sa.Column("deleted_at", _time()),
        sa.Column("metadata", _json()),
        sa.Column("role", sa.Enum(*_ROLES, name="user_role_enum"), server_default="member"),
        sa.PrimaryKeyConstraint("id", name="PK_cace4a159ff9f2512dd42373760"),
    )
    living = sa.text("deleted_at IS NULL")
    op.create_index(
        "IDX_ba8de19442d86957a3aa3b5006", "user", ["email"], unique=True, sqlite_where=living, postgresql_where=living
    )


def _make_invite() -> None:
    op.create_table(
        "invite",
        sa.Column("id", sa.String),
        sa.Column("user_email", sa.String, nullable=False),
        sa.Column("role", sa.Enum(*_ROLES, name="invite_role_enum"), server_default="member"),
        sa.Column("accepted", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", _time(), nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", _time(), nullable=False, server_default=sa.func.now()),
        sa.Column("deleted_at", _time()),
        sa.Column("metadata", _json()),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("expires_at", _time(), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="PK_fc9fa190e5a3c5d80604a4f63e1"),
    )
    op.create_index("IDX_6b0ce4b4bcfd24491510bf19d1", "invite", ["user_email"], unique=True)


def _make_ours() -> None:
    op.create_table(
        "auth_session",
        sa.Column("id_hash", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False, index=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("last_seen_at", _time(), nullable=False),
        sa.Column("expires_at", _time(), nullable=False, index=True),
        sa.Column("client", sa.String),
        sa.Column("user_agent", sa.String),
    )
    op.create_table(
        "auth_access_token_not_before",
        sa.Column("user_id", sa.String, primary_key=True),
        sa.Column("moment", _time(), nullable=False),
    )
    op.create_table(
        "auth_access_token_revoked",
        sa.Column("token_id", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("expires_at", _time(), nullable=False, index=True),
    )
    op.create_table(
        "auth_api_token",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False, index=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("token_hash", sa.String, nullable=False, unique=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("last_used_at", _time()),
        sa.Column("expires_at", _time()),
    )
    op.create_table(
        "auth_change",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("at", _time(), nullable=False, index=True),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take away only what is ours: users and invites stay."""
    for table in (
        "auth_change",
        "auth_api_token",
        "auth_access_token_revoked",
        "auth_access_token_not_before",
        "auth_session",
    ):
        op.drop_table(table)
