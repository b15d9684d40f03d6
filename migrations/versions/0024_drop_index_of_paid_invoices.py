"""Drop the index of the payments of an invoice: they become allocations in 0025."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_index_concurrently("ix_payments_invoice_id")


def downgrade() -> None:
    create_index_concurrently(
        "ix_payments_invoice_id", "payments", "organization_id", "invoice_id", "created_at", "id"
    )
