"""Let nobody but the purge delete evidence, and keep what the purge has begun from being restored.

The application's role inserts signatures and signed documents, and never updates or deletes them:
who takes the role over cannot replace one. The purge calls a function, which looks for itself
whether the years are over, nothing holds them, and what they belong to was trashed long enough ago.
Source: retention.md, *Evidence*.
"""

from __future__ import annotations

from alembic import op

from webapp.core.roles import APP_ROLE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

EVIDENCE = ("signatures", "signed_documents")

PURGE_EVIDENCE = """
CREATE FUNCTION purge_evidence(p_table text, p_ids uuid[]) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_organization_id uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    v_signatures uuid[];
    v_count integer;
BEGIN
    SELECT array_agg(s.id) INTO v_signatures
    FROM public.signatures s
    JOIN public.organizations o ON o.id = s.organization_id
    LEFT JOIN public.proposals p
           ON p.organization_id = s.organization_id AND p.id = s.proposal_id
    LEFT JOIN public.contracts c
           ON c.organization_id = s.organization_id AND c.id = s.contract_id
    LEFT JOIN public.engagements e
           ON e.organization_id = s.organization_id AND e.id = p.converted_engagement_id
    WHERE s.organization_id = v_organization_id
      AND s.signed_at < now() - make_interval(years => o.financial_retention_years)
      AND least(p.deleted_at, c.deleted_at, e.deleted_at)
          < now() - make_interval(days => o.retention_days)
      AND NOT EXISTS (
            SELECT FROM public.engagements h
            WHERE h.organization_id = s.organization_id AND h.legal_hold
              AND (h.id = p.converted_engagement_id OR h.id = p.engagement_id
                   OR h.proposal_id = s.proposal_id OR h.contract_id = s.contract_id
                   OR EXISTS (SELECT FROM public.engagement_contracts ec
                              WHERE ec.organization_id = h.organization_id
                                AND ec.engagement_id = h.id
                                AND ec.contract_id = s.contract_id)))
      AND CASE p_table
            WHEN 'signatures' THEN s.id = ANY (p_ids)
            WHEN 'signed_documents' THEN EXISTS (
                SELECT FROM public.signed_documents d
                WHERE d.organization_id = s.organization_id AND d.signature_id = s.id
                  AND d.id = ANY (p_ids))
            ELSE false END;
    IF p_table = 'signatures' THEN
        DELETE FROM public.signatures
        WHERE organization_id = v_organization_id AND id = ANY (v_signatures);
    ELSE
        DELETE FROM public.signed_documents
        WHERE organization_id = v_organization_id AND id = ANY (p_ids)
          AND signature_id = ANY (v_signatures);
    END IF;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$"""


def upgrade() -> None:
    op.execute("ALTER TABLE engagements ADD COLUMN purge_started_at timestamptz")
    op.execute(PURGE_EVIDENCE)
    op.execute("REVOKE ALL ON FUNCTION purge_evidence(text, uuid[]) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION purge_evidence(text, uuid[]) TO {APP_ROLE}")
    for table in EVIDENCE:
        op.execute(f"REVOKE DELETE ON {table} FROM {APP_ROLE}")


def downgrade() -> None:
    for table in EVIDENCE:
        op.execute(f"GRANT DELETE ON {table} TO {APP_ROLE}")
    op.execute("DROP FUNCTION purge_evidence(text, uuid[])")
    op.execute("ALTER TABLE engagements DROP COLUMN purge_started_at")
