"""Let anybody ask whether a signed document is on record, by its SHA-256.

Source: sign-flow.md, *Verifying* (the verify page). Whoever holds the document knows what the
answer tells; nobody can list or guess: a SHA-256 is all that is looked up.

The forms' tokens are derived from the session's secret, so nothing of them is stored any more.
"""

from __future__ import annotations

from alembic import op

from webapp.core.roles import APP_ROLE

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Read across tenants by the owner's function below; the application's role stays inside its own.
READ = ("signed_documents", "signatures", "proposals")

VERIFY_DOCUMENT = """
CREATE FUNCTION verify_document(p_sha256 text)
RETURNS TABLE (kind text, organization text, proposal_number text, proposal_name text,
               version integer, signer_name text, signed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.kind, o.name, p.number, p.name, s.version, s.signer_name, s.signed_at
    FROM (
        SELECT 'signed document' AS kind, d.organization_id, d.signature_id
        FROM public.signed_documents d WHERE d.sha256 = p_sha256
        UNION ALL
        SELECT 'proposal content', c.organization_id, c.id
        FROM public.signatures c WHERE c.content_sha256 = p_sha256
    ) f
    JOIN public.signatures s ON s.organization_id = f.organization_id AND s.id = f.signature_id
    JOIN public.proposals p ON p.organization_id = s.organization_id AND p.id = s.proposal_id
    JOIN public.organizations o ON o.id = s.organization_id
    ORDER BY s.signed_at
    LIMIT 1
$$"""


def upgrade() -> None:
    # Whoever asks does not know whose document it is: these lead without the tenant.
    op.create_index("ix_signatures_content_sha256", "signatures", ["content_sha256"])
    op.drop_index("ix_signed_documents_sha256", table_name="signed_documents")
    op.create_index("ix_signed_documents_sha256", "signed_documents", ["sha256"])
    for table in READ:
        op.execute(f"CREATE POLICY verify ON {table} FOR SELECT TO CURRENT_USER USING (true)")
    op.execute(VERIFY_DOCUMENT)
    op.execute("REVOKE ALL ON FUNCTION verify_document(text) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION verify_document(text) TO {APP_ROLE}")
    op.drop_column("login_sessions", "csrf_digest")


def downgrade() -> None:
    op.execute("ALTER TABLE login_sessions ADD COLUMN csrf_digest bytea NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE login_sessions ALTER COLUMN csrf_digest DROP DEFAULT")
    op.execute("DROP FUNCTION verify_document(text)")
    for table in READ:
        op.execute(f"DROP POLICY verify ON {table}")
    op.drop_index("ix_signed_documents_sha256", table_name="signed_documents")
    op.create_index("ix_signed_documents_sha256", "signed_documents", ["organization_id", "sha256"])
    op.drop_index("ix_signatures_content_sha256", table_name="signatures")
