"""Keep what a signature promises possible, and keep what staff said about another's engagement.

A template's due dates stay within what a day can be; a proposal for another company goes into an
engagement only where staff said so while drafting it.
"""

from __future__ import annotations

from alembic import op

from webapp.core.roles import DISPATCHER_ROLE

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("project_template_milestones", "project_template_tasks")
MAX_DUE_OFFSET_DAYS = 36_500


def upgrade() -> None:
    op.execute("ALTER TABLE proposals ADD COLUMN allow_other_company boolean NOT NULL DEFAULT false")
    # Beat asks whose proposals have expired, and leaves out those that were deleted.
    op.execute(f"GRANT SELECT (deleted_at) ON proposals TO {DISPATCHER_ROLE}")
    for table in TABLES:
        name = f"ck_{table}_due_offset_days_maximum"
        # New rows first; then those that are there, without keeping writers out meanwhile. Nothing
        # has offered to write templates yet, so one that is beyond is for its writer to mend.
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name}"
            f" CHECK (due_offset_days <= {MAX_DUE_OFFSET_DAYS}) NOT VALID"
        )
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    op.execute(f"REVOKE SELECT (deleted_at) ON proposals FROM {DISPATCHER_ROLE}")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_due_offset_days_maximum")
    op.execute("ALTER TABLE proposals DROP COLUMN allow_other_company")
