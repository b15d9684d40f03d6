"""Index the dead jobs: they are few, and asked for often."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "ix_jobs_dead", "jobs", "kind", "finished_at", where="state = 'dead'"
    )


def downgrade() -> None:
    drop_index_concurrently("ix_jobs_dead")
