"""Keep since when a deal is in its stage, how likely it is, and from which stage it was lost."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

# The last move of each deal, as the activity log tells it; a deal that never moved is where it
# began.
FILL = """
UPDATE deals d SET
    stage_since = coalesce(e.occurred_at, d.closed_at, d.created_at),
    lost_from = CASE WHEN d.stage = 'lost' AND e.to_state = 'lost' THEN e.from_state END
FROM deals o LEFT JOIN LATERAL (
    SELECT a.occurred_at, a.from_state, a.to_state FROM activity_events a
    WHERE a.organization_id = o.organization_id AND a.entity_type = 'deal'
      AND a.entity_id = o.id AND a.type = 'status_changed'
    ORDER BY a.entity_version DESC LIMIT 1) e ON true
WHERE o.organization_id = d.organization_id AND o.id = d.id"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE deals ADD COLUMN stage_since timestamptz NOT NULL DEFAULT now(),"
        " ADD COLUMN probability integer, ADD COLUMN lost_from varchar(16),"
        " ADD CONSTRAINT ck_deals_probability_minimum CHECK (probability >= 0),"
        " ADD CONSTRAINT ck_deals_probability_maximum CHECK (probability <= 100),"
        " ADD CONSTRAINT ck_deals_lost_from_known"
        " CHECK (lost_from IN ('lead', 'qualified', 'proposal', 'negotiation')),"
        " ADD CONSTRAINT ck_deals_lost_from_if_lost CHECK (lost_from IS NULL OR stage = 'lost')"
    )
    # Forced, row-level security would hide all tenants' rows from their owner.
    for table in ("deals", "activity_events"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(FILL)
    for table in ("deals", "activity_events"):
        force_row_security(table)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE deals DROP COLUMN stage_since, DROP COLUMN probability,"
        " DROP COLUMN lost_from"
    )
