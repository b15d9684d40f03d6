"""Index invoices by the overdue one that they are a fee for."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "ix_invoices_late_fee_of", "invoices", "organization_id", "late_fee_of"
    )


def downgrade() -> None:
    drop_index_concurrently("ix_invoices_late_fee_of")
