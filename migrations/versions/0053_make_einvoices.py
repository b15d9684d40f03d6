"""Keep the e-invoice beside the PDF, and what it must say: when the work was done, why no tax.

What was rendered before stays as it is, without an e-invoice.
"""

from __future__ import annotations

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

SAYS = (
    "number", "engagement_id", "order_id", "currency", "subtotal", "tax", "total", "tax_groups",
    "seller", "buyer", "issued_on", "due_date", "notes",
)  # fmt: skip


def keep_final(columns: tuple[str, ...]) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("NEW", "OLD"))
    return f"""
CREATE OR REPLACE FUNCTION keep_invoice_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF ({new}) IS DISTINCT FROM ({old}) THEN
        RAISE EXCEPTION 'invoice % is final', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$"""


def upgrade() -> None:
    op.execute("ALTER TABLE billing_documents ADD COLUMN xml bytea")
    op.execute(
        "ALTER TABLE invoices ADD COLUMN tax_exemption_reason text,"
        " ADD COLUMN service_from date, ADD COLUMN service_until date,"
        " ADD CONSTRAINT ck_invoices_service_until_not_before_service_from"
        " CHECK (service_until >= service_from)"
    )
    op.execute(keep_final((*SAYS, "tax_exemption_reason", "service_from", "service_until")))


def downgrade() -> None:
    op.execute(keep_final(SAYS))
    op.execute(
        "ALTER TABLE invoices DROP COLUMN service_until, DROP COLUMN service_from,"
        " DROP COLUMN tax_exemption_reason"
    )
    op.execute("ALTER TABLE billing_documents DROP COLUMN xml")
