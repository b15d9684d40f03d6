"""Let no signing link wait for ever, and tell a fetched link from a person who reads.

What was sent without a time limit gets the organization's default from now on.
Source: rulings.md, *Links*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE organizations ADD COLUMN link_days integer NOT NULL DEFAULT 90"
        " CONSTRAINT ck_organizations_link_days_range CHECK (link_days BETWEEN 1 AND 365)"
    )
    op.execute("ALTER TABLE proposals ADD COLUMN opened_at timestamptz")
    op.execute(
        "ALTER TABLE proposals ADD COLUMN valid_until_by_default boolean NOT NULL DEFAULT false"
    )
    # Forced, row-level security would hide all tenants' rows from the owner of the tables too.
    for table in ("proposals", "organizations"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE proposals SET valid_until = now() + make_interval(days => o.link_days),"
        " valid_until_by_default = true FROM organizations o"
        " WHERE o.id = proposals.organization_id AND proposals.status = 'sent'"
        " AND proposals.valid_until IS NULL"
    )
    op.execute("UPDATE proposals SET opened_at = viewed_at WHERE viewed_at IS NOT NULL")
    for table in ("proposals", "organizations"):
        force_row_security(table)


def downgrade() -> None:
    op.execute("ALTER TABLE proposals DROP COLUMN valid_until_by_default, DROP COLUMN opened_at")
    op.execute("ALTER TABLE organizations DROP COLUMN link_days")
