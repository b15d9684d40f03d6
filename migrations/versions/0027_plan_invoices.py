"""Plan invoices by deposit, milestones, and month, quarter or year; schedules pause and end."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KINDS = "'once', 'deposit', 'milestones', 'monthly', 'quarterly', 'yearly', 'retainer'"
CHECKS = {
    "kind_known": f"kind IN ({KINDS})",
    "ended_is_not_active": "ended_at IS NULL OR NOT is_active",
    "hours_of_retainer": "(kind = 'retainer') = (hours IS NOT NULL)",
    "hours_positive": "hours > 0",
    "name_not_blank": "btrim(name) <> ''",
    "shares_is_array": "jsonb_typeof(shares) = 'array'",
}


def upgrade() -> None:
    op.execute(
        "ALTER TABLE invoice_schedules DROP CONSTRAINT ck_invoice_schedules_kind_known,"
        " ADD COLUMN name varchar(255) NOT NULL DEFAULT 'Services',"
        " ADD COLUMN shares jsonb NOT NULL DEFAULT '[]',"
        " ADD COLUMN hours numeric(12, 2), ADD COLUMN ended_at timestamptz"
    )
    # Nothing ever made one by milestones: the application wrote `once` alone.
    with_all_rows("UPDATE invoice_schedules SET kind = 'once' WHERE kind = 'milestone'")
    for name, condition in CHECKS.items():
        op.execute(
            f"ALTER TABLE invoice_schedules ADD CONSTRAINT ck_invoice_schedules_{name}"
            f" CHECK ({condition})"
        )


def downgrade() -> None:
    for name in CHECKS:
        op.execute(f"ALTER TABLE invoice_schedules DROP CONSTRAINT ck_invoice_schedules_{name}")
    with_all_rows(
        "UPDATE invoice_schedules SET kind = CASE WHEN kind IN ('once', 'monthly') THEN kind"
        " WHEN kind = 'retainer' THEN 'monthly' ELSE 'milestone' END"
    )
    op.execute(
        "ALTER TABLE invoice_schedules DROP COLUMN name, DROP COLUMN shares, DROP COLUMN hours,"
        " DROP COLUMN ended_at, ADD CONSTRAINT ck_invoice_schedules_kind_known"
        " CHECK (kind IN ('once', 'monthly', 'milestone'))"
    )


def with_all_rows(statement: str) -> None:
    """Run a statement on all tenants' rows; forced, row-level security would hide them."""
    op.execute("ALTER TABLE invoice_schedules NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    force_row_security("invoice_schedules")
