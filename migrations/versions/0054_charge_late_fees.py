"""Say for which overdue invoice another one is a late fee, and how many periods were charged."""

from __future__ import annotations

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE invoices ADD COLUMN late_fee_of uuid,"
        " ADD COLUMN late_fees smallint NOT NULL DEFAULT 0,"
        " ADD CONSTRAINT ck_invoices_late_fees_minimum CHECK (late_fees >= 0),"
        " ADD CONSTRAINT fk_invoices_organization_id_late_fee_of"
        " FOREIGN KEY (organization_id, late_fee_of) REFERENCES invoices (organization_id, id)"
        " ON DELETE SET NULL (late_fee_of)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE invoices DROP COLUMN late_fees, DROP COLUMN late_fee_of")
