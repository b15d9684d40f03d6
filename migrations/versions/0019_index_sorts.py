"""Index what lists are sorted by; drop the index of a kind's ready jobs, unused since 0018."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

LIVE = "deleted_at IS NULL"
START = "(COALESCE(start_date, '9999-12-31'::date))"
END = "(COALESCE(end_date, '9999-12-31'::date))"


def upgrade() -> None:
    create_index_concurrently(
        "ix_engagements_name_sorted", "engagements", "organization_id", "name", "id", where=LIVE
    )
    create_index_concurrently(
        "ix_engagements_start_date_sorted", "engagements", "organization_id", START, "id",
        where=LIVE,
    )
    create_index_concurrently(
        "ix_engagements_end_date_sorted", "engagements", "organization_id", END, "id", where=LIVE
    )
    create_index_concurrently(
        "ix_client_companies_name_sorted", "client_companies", "organization_id", "name", "id",
        where=LIVE,
    )
    drop_index_concurrently("ix_jobs_kind_seq")


def downgrade() -> None:
    create_index_concurrently(
        "ix_jobs_kind_seq", "jobs", "organization_id", "kind", "seq", where="state = 'ready'"
    )
    drop_index_concurrently("ix_client_companies_name_sorted")
    drop_index_concurrently("ix_engagements_end_date_sorted")
    drop_index_concurrently("ix_engagements_start_date_sorted")
    drop_index_concurrently("ix_engagements_name_sorted")
