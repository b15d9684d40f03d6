"""Let beat write how often its jobs are tried, as the table of kinds says it for all others."""

from __future__ import annotations

from alembic import op

from webapp.core.roles import DISPATCHER_ROLE

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(f"GRANT INSERT (max_attempts) ON jobs TO {DISPATCHER_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE INSERT (max_attempts) ON jobs FROM {DISPATCHER_ROLE}")
