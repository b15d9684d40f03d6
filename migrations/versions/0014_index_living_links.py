"""Index the links of a proposal, and the living one of each version as its only one.

The unique key of one link a version goes with the migration of the deliveries, and is built again
here on the way back.
"""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ONE_LINK = "uq_signing_links_organization_id_proposal_id_version"
BY_PROPOSAL = "ix_signing_links_proposal_id"
KEY = ("organization_id", "proposal_id", "version")


def upgrade() -> None:
    create_index_concurrently(BY_PROPOSAL, "signing_links", *KEY[:2])
    create_index_concurrently(
        f"{ONE_LINK}_living", "signing_links", *KEY, where="revoked_at IS NULL", unique=True
    )


def downgrade() -> None:
    create_index_concurrently(ONE_LINK, "signing_links", *KEY, unique=True)
    drop_index_concurrently(f"{ONE_LINK}_living")
    drop_index_concurrently(BY_PROPOSAL)
