"""Let the dispatcher find the due signatures without looking at whatever else is due.

Source: faults.md (with the broker dead, a signature is carried out within 15 s).
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_jobs_due_signatures ON jobs (publish_after)"
        " WHERE state = 'ready' AND kind = 'sales.fulfil_signature'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_jobs_due_signatures")
