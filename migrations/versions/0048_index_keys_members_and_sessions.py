"""Index API keys, members and sessions in the order in which they are listed."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

LISTED = ("organization_id", "created_at", "id")


def upgrade() -> None:
    create_index_concurrently("ix_api_keys_created_at", "api_keys", *LISTED)
    create_index_concurrently(
        "ix_memberships_created_at", "memberships", *LISTED, where="deleted_at IS NULL"
    )
    create_index_concurrently("ix_login_sessions_created_at", "login_sessions", *LISTED)


def downgrade() -> None:
    drop_index_concurrently("ix_login_sessions_created_at")
    drop_index_concurrently("ix_memberships_created_at")
    drop_index_concurrently("ix_api_keys_created_at")
