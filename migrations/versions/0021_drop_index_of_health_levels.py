"""Drop the index of the health levels, which become others in 0022; nothing ever read it."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_index_concurrently("ix_engagement_health_level")


def downgrade() -> None:
    create_index_concurrently(
        "ix_engagement_health_level", "engagement_health", "organization_id", "level"
    )
