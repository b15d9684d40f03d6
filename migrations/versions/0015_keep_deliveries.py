"""Keep what became of a mailed signing link, and let another address have a link of its own.

Processes of before go on: they mail a link without a word of what became of it.
Source: sign-flow.md, *Delivery*.
"""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ONE_LINK = "uq_signing_links_organization_id_proposal_id_version"
CHECKS = {
    "delivered_or_not": "num_nonnulls(delivered_at, undeliverable_at) <= 1",
    "reason_if_undeliverable": "(undeliverable_at IS NULL) = (undeliverable_reason IS NULL)",
}
# A link that was mailed before counts as delivered, unless its job still tries or has given up.
DELIVERED = """
UPDATE signing_links l SET delivered_at = l.created_at
WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.organization_id = l.organization_id
                  AND j.kind = 'sales.mail_signing_link' AND j.dedupe_key = l.id::text
                  AND j.state <> 'done')"""
# One link a version again: the last one, which lives if any does.
REPLACED = """
DELETE FROM signing_links l WHERE EXISTS (
    SELECT FROM signing_links n WHERE n.organization_id = l.organization_id
    AND n.proposal_id = l.proposal_id AND n.version = l.version AND n.id > l.id)"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE signing_links ADD COLUMN email varchar(254),"
        " ADD COLUMN mailings smallint NOT NULL DEFAULT 1,"
        " ADD COLUMN delivered_at timestamptz,"
        " ADD COLUMN undeliverable_at timestamptz,"
        " ADD COLUMN undeliverable_reason text"
    )
    op.execute(f"ALTER TABLE signing_links DROP CONSTRAINT IF EXISTS {ONE_LINK}")
    op.execute(f"DROP INDEX IF EXISTS {ONE_LINK}")  # what a way back has left in its place
    as_owner(DELIVERED)
    for name, condition in CHECKS.items():
        constraint = f"ck_signing_links_{name}"
        op.execute(
            f"ALTER TABLE signing_links ADD CONSTRAINT {constraint} CHECK ({condition}) NOT VALID"
        )
        op.execute(f"ALTER TABLE signing_links VALIDATE CONSTRAINT {constraint}")


def downgrade() -> None:
    as_owner(REPLACED)
    op.execute(
        "ALTER TABLE signing_links DROP COLUMN email, DROP COLUMN mailings,"
        " DROP COLUMN delivered_at, DROP COLUMN undeliverable_at, DROP COLUMN undeliverable_reason"
    )


def as_owner(statement: str) -> None:
    """Run a statement on all tenants' links; forced, row-level security would hide them."""
    op.execute("SET LOCAL app.claims = 'on'")  # and those who claim see all jobs
    op.execute("ALTER TABLE signing_links NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    force_row_security("signing_links")
    op.execute("RESET app.claims")
