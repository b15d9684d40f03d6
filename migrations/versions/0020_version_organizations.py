"""Count the changes of an organization's settings, so that nobody overwrites what they missed."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE organizations ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),"
        " ADD COLUMN row_version integer NOT NULL DEFAULT 1"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE organizations DROP COLUMN updated_at, DROP COLUMN row_version")
