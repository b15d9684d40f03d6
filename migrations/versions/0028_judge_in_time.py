"""Keep when time alone may change an engagement's health, and let beat see what is due.

Every open engagement is looked at once; what was judged before had no such time.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security, hide_from_beat, let_beat_see

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SEEN = {
    "engagement_health": ("check_at",),
    "invoices": ("status", "due_date"),
    "invoice_schedules": ("is_active", "next_period"),
}
LOOK_AT_ALL = """
INSERT INTO engagement_health (organization_id, id, engagement_id, status, check_at)
SELECT organization_id, gen_random_uuid(), id, health, now() FROM engagements
WHERE deleted_at IS NULL AND status IN ('active', 'on_hold')
ON CONFLICT (organization_id, engagement_id) DO UPDATE SET check_at = now()"""


def upgrade() -> None:
    op.execute("ALTER TABLE engagement_health ADD COLUMN check_at timestamptz")
    for table in ("engagement_health", "engagements"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(LOOK_AT_ALL)
    for table in ("engagement_health", "engagements"):
        force_row_security(table)
    for table, columns in SEEN.items():
        let_beat_see(table, *columns)


def downgrade() -> None:
    for table, columns in SEEN.items():
        hide_from_beat(table, *columns)
    op.execute("ALTER TABLE engagement_health DROP COLUMN check_at")
