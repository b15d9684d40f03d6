"""Index contracts by the day they end, and let each have one next term."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

LIVING = "deleted_at IS NULL"
END_DATE = "(COALESCE(end_date, '9999-12-31'::date))"


def upgrade() -> None:
    create_index_concurrently(
        "ix_contracts_end_date", "contracts", "organization_id", "end_date", where=LIVING
    )
    create_index_concurrently(
        "ix_contracts_end_date_sorted", "contracts", "organization_id", END_DATE, "id",
        where=LIVING,
    )
    create_index_concurrently(
        "uq_contracts_renews_id", "contracts", "organization_id", "renews_id", unique=True
    )


def downgrade() -> None:
    drop_index_concurrently("uq_contracts_renews_id")
    drop_index_concurrently("ix_contracts_end_date_sorted")
    drop_index_concurrently("ix_contracts_end_date")
