"""Index invoices by client and by the day they are due, and payments by client."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

DUE = "(COALESCE(due_date, '9999-12-31'::date))"


def upgrade() -> None:
    create_index_concurrently(
        "ix_invoices_client_company_id", "invoices", "organization_id", "client_company_id",
        "created_at", "id",
    )
    create_index_concurrently(
        "ix_invoices_contact_id", "invoices", "organization_id", "contact_id"
    )
    create_index_concurrently(
        "ix_invoices_due_date_sorted", "invoices", "organization_id", DUE, "id"
    )
    drop_index_concurrently("ix_invoices_due_date")
    create_index_concurrently(
        "ix_invoices_due_date", "invoices", "organization_id", "due_date", where="status = 'open'"
    )
    create_index_concurrently(
        "ix_payments_client_company_id", "payments", "organization_id", "client_company_id",
        "created_at", "id",
    )
    create_index_concurrently(
        "ix_payments_contact_id", "payments", "organization_id", "contact_id"
    )


def downgrade() -> None:
    drop_index_concurrently("ix_payments_contact_id")
    drop_index_concurrently("ix_payments_client_company_id")
    drop_index_concurrently("ix_invoices_due_date")
    create_index_concurrently(
        "ix_invoices_due_date", "invoices", "organization_id", "due_date",
        where="status IN ('sent', 'partially_paid')",
    )
    drop_index_concurrently("ix_invoices_due_date_sorted")
    drop_index_concurrently("ix_invoices_contact_id")
    drop_index_concurrently("ix_invoices_client_company_id")
