"""Password resets and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "auth_password_reset",
        sa.Column("id_hash", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False, index=True),
        sa.Column("password_digest", sa.String, nullable=False),
        sa.Column("expires_at", _time(), nullable=False, index=True),
    )
    op.create_table(
        "auth_outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False, index=True),
        sa.Column("about", sa.String, nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", _time(), index=True),
        sa.Column("sent_at", _time(), index=True),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("auth_outbox")
    op.drop_table("auth_password_reset")
