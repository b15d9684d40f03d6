"""Draw up contracts by themselves: their owner, renewal, and the content that was signed."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

CHECKS = {
    "cancelled_at_if_cancelled": "(status = 'cancelled') = (cancelled_at IS NOT NULL)",
    "notice_days_minimum": "notice_days >= 0",
}


def upgrade() -> None:
    op.execute(
        "ALTER TABLE contracts ADD COLUMN auto_renew boolean NOT NULL DEFAULT false,"
        " ADD COLUMN notice_days smallint, ADD COLUMN owner_id varchar(255),"
        " ADD COLUMN renews_id uuid, ADD COLUMN content text,"
        " ADD COLUMN cancelled_at timestamptz,"
        " ADD CONSTRAINT fk_contracts_organization_id_renews_id"
        " FOREIGN KEY (organization_id, renews_id) REFERENCES contracts (organization_id, id)"
        " ON DELETE SET NULL (renews_id)"
    )
    # Forced, row-level security would hide all tenants' rows.
    op.execute("ALTER TABLE contracts NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE contracts SET cancelled_at = updated_at WHERE status = 'cancelled'")
    force_row_security("contracts")
    for name, condition in CHECKS.items():
        op.execute(f"ALTER TABLE contracts ADD CONSTRAINT ck_contracts_{name} CHECK ({condition})")


def downgrade() -> None:
    for name in CHECKS:
        op.execute(f"ALTER TABLE contracts DROP CONSTRAINT ck_contracts_{name}")
    op.execute(
        "ALTER TABLE contracts DROP COLUMN auto_renew, DROP COLUMN notice_days,"
        " DROP COLUMN owner_id, DROP COLUMN renews_id, DROP COLUMN content,"
        " DROP COLUMN cancelled_at"
    )
