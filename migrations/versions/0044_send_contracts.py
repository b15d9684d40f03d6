"""Send contracts to be signed by a link, let them expire, and let their documents be verified."""

from __future__ import annotations

from alembic import op

from migrations.tenancy import force_row_security, hide_from_beat, let_beat_see

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

SEEN = ("status", "valid_until", "deleted_at")
COLUMNS = ("valid_until", "opened_at", "viewed_at", "expired_at")
# A document is found by its digest, whichever of the two it is of.
VERIFY = """
CREATE OR REPLACE FUNCTION verify_document(p_sha256 text)
RETURNS TABLE (kind text, organization text, proposal_number text, proposal_name text,
               version integer, signer_name text, signed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.kind, o.name, {number}, {name}, {version}, s.signer_name, s.signed_at
    FROM (
        SELECT 'signed document' AS kind, d.organization_id, d.signature_id
        FROM public.signed_documents d WHERE d.sha256 = p_sha256
        UNION ALL
        SELECT {content}, c.organization_id, c.id
        FROM public.signatures c WHERE c.content_sha256 = p_sha256
    ) f
    JOIN public.signatures s ON s.organization_id = f.organization_id AND s.id = f.signature_id
    {subject}
    JOIN public.organizations o ON o.id = s.organization_id
    ORDER BY s.signed_at
    LIMIT 1
$$"""
_PROPOSAL = "public.proposals p ON p.organization_id = s.organization_id AND p.id = s.proposal_id"
_CONTRACT = "public.contracts k ON k.organization_id = s.organization_id AND k.id = s.contract_id"
BOTH = VERIFY.format(
    number="coalesce(p.number, k.number)",
    name="coalesce(p.name, k.name)",
    version="coalesce(s.version, 1)",
    content="CASE WHEN c.proposal_id IS NULL THEN 'contract content' ELSE 'proposal content' END",
    subject=f"LEFT JOIN {_PROPOSAL}\n    LEFT JOIN {_CONTRACT}",
)
PROPOSALS_ALONE = VERIFY.format(
    number="p.number",
    name="p.name",
    version="s.version",
    content="'proposal content'",
    subject=f"JOIN {_PROPOSAL}",
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE contracts " + ", ".join(f"ADD COLUMN {name} timestamptz" for name in COLUMNS)
    )
    op.execute("ALTER TABLE contracts NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE contracts SET expired_at = updated_at WHERE status = 'expired'")
    force_row_security("contracts")
    op.execute(
        "ALTER TABLE contracts ADD CONSTRAINT ck_contracts_expired_at_if_expired"
        " CHECK (status <> 'expired' OR expired_at IS NOT NULL)"
    )
    op.execute(
        "ALTER TABLE signing_links ALTER COLUMN proposal_id DROP NOT NULL,"
        " ADD COLUMN contract_id uuid,"
        " ADD CONSTRAINT fk_signing_links_organization_id_contract_id"
        " FOREIGN KEY (organization_id, contract_id) REFERENCES contracts (organization_id, id)"
        " ON DELETE CASCADE,"
        " ADD CONSTRAINT ck_signing_links_opens_one"
        " CHECK (num_nonnulls(proposal_id, contract_id) = 1)"
    )
    let_beat_see("contracts", *SEEN)
    op.execute("CREATE POLICY verify ON contracts FOR SELECT TO CURRENT_USER USING (true)")
    op.execute(BOTH)


def downgrade() -> None:
    op.execute(PROPOSALS_ALONE)
    op.execute("DROP POLICY verify ON contracts")
    hide_from_beat("contracts", *SEEN)
    op.execute("ALTER TABLE signing_links NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM signing_links WHERE contract_id IS NOT NULL")
    force_row_security("signing_links")
    op.execute(
        "ALTER TABLE signing_links DROP COLUMN contract_id, ALTER COLUMN proposal_id SET NOT NULL"
    )
    op.execute(
        "ALTER TABLE contracts " + ", ".join(f"DROP COLUMN {name}" for name in COLUMNS)
    )
