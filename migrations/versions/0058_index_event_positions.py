"""Index the events by their position, each of which is given once, and by what they tell of."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

FILTERS = ("type", "entity_type")


def upgrade() -> None:
    create_index_concurrently(
        "uq_activity_events_position", "activity_events", "organization_id", "position",
        where="position IS NOT NULL", unique=True,
    )
    for column in FILTERS:
        create_index_concurrently(
            f"ix_activity_events_{column}_occurred_at_id", "activity_events", "organization_id",
            column, "occurred_at", "id",
        )


def downgrade() -> None:
    for column in FILTERS:
        drop_index_concurrently(f"ix_activity_events_{column}_occurred_at_id")
    drop_index_concurrently("uq_activity_events_position")
