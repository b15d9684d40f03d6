"""Index engagements by the beginning of their name, by their days, and by when they were closed."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


COLUMNS = ("name_key", "start_date", "end_date", "closed_at")


def upgrade() -> None:
    for column in COLUMNS:
        create_index_concurrently(
            f"ix_engagements_{column}", "engagements", "organization_id", column,
            where="deleted_at IS NULL",
        )


def downgrade() -> None:
    for column in COLUMNS:
        drop_index_concurrently(f"ix_engagements_{column}")
