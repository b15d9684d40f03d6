"""Index the engagements by how they fare, to filter and to sort."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

LIVE = "deleted_at IS NULL"


def upgrade() -> None:
    create_index_concurrently(
        "ix_engagements_health", "engagements", "organization_id", "health", "created_at", "id",
        where=LIVE,
    )
    create_index_concurrently(
        "ix_engagements_health_sorted", "engagements", "organization_id", "health", "id",
        where=LIVE,
    )


def downgrade() -> None:
    drop_index_concurrently("ix_engagements_health_sorted")
    drop_index_concurrently("ix_engagements_health")
