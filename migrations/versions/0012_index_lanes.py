"""Index the due jobs by lane: by organization for whose turn it is, and by age.

The indexes on `publish_after` go: nobody looks a job up by it any more.
"""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

READY = "state = 'ready'"


def upgrade() -> None:
    create_index_concurrently(
        "ix_jobs_lane_organization", "jobs", "lane", "organization_id", "run_at", "seq", where=READY
    )
    create_index_concurrently("ix_jobs_lane_run_at", "jobs", "lane", "run_at", where=READY)
    drop_index_concurrently("ix_jobs_publish_after")
    drop_index_concurrently("ix_jobs_due_signatures")


def downgrade() -> None:
    create_index_concurrently("ix_jobs_publish_after", "jobs", "publish_after", where=READY)
    create_index_concurrently(
        "ix_jobs_due_signatures",
        "jobs",
        "publish_after",
        where="state = 'ready' AND kind = 'sales.fulfil_signature'",
    )
    drop_index_concurrently("ix_jobs_lane_run_at")
    drop_index_concurrently("ix_jobs_lane_organization")
