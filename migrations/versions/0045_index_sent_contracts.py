"""Index the contracts that wait for a signature, and their links."""

from __future__ import annotations

from migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

LIVING = "uq_signing_links_organization_id_contract_id_living"


def upgrade() -> None:
    create_index_concurrently(
        "ix_contracts_valid_until",
        "contracts",
        "organization_id",
        "valid_until",
        where="status = 'sent'",
    )
    create_index_concurrently(
        "ix_signing_links_contract_id", "signing_links", "organization_id", "contract_id"
    )
    create_index_concurrently(
        LIVING,
        "signing_links",
        "organization_id",
        "contract_id",
        unique=True,
        where="revoked_at IS NULL",
    )


def downgrade() -> None:
    drop_index_concurrently(LIVING)
    drop_index_concurrently("ix_signing_links_contract_id")
    drop_index_concurrently("ix_contracts_valid_until")
