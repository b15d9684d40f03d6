"""Index deals by their stage's age, by the day they are expected to close, and by currency."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

LIVING = "deleted_at IS NULL"
INDEXES = (
    ("ix_deals_currency", "currency", "created_at", "id"),
    ("ix_deals_expected_close_date", "expected_close_date"),
    (
        "ix_deals_expected_close_date_sorted",
        "(COALESCE(expected_close_date, '9999-12-31'::date))",
        "id",
    ),
    ("ix_deals_stage_since_sorted", "stage_since", "id"),
)


def upgrade() -> None:
    for name, *columns in INDEXES:
        create_index_concurrently(name, "deals", "organization_id", *columns, where=LIVING)


def downgrade() -> None:
    for name, *_ in INDEXES:
        drop_index_concurrently(name)
