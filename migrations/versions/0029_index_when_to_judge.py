"""Index when time alone may change an engagement's health."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "ix_engagement_health_check_at", "engagement_health", "organization_id", "check_at"
    )


def downgrade() -> None:
    drop_index_concurrently("ix_engagement_health_check_at")
