"""The oracle: what must be true of a tenant's records, whatever happened to the processes.

faults.md, *How it is judged*: each signed proposal has 1 engagement, 1 order, N projects; activity
rows = transitions; `last_message_at` = the maximum; no job left that is not terminal; nothing
crosses tenants.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tests.support.tenants import Tenant, eventually

# Each query finds what contradicts its name, among the rows of %(organization_id)s.
RULES = {
    "a signature whose proposal is not signed, or a signed proposal without one signature": """
        SELECT p.id FROM proposals p
        WHERE p.organization_id = %(organization_id)s
          AND (SELECT count(*) FROM signatures s WHERE s.organization_id = p.organization_id
               AND s.proposal_id = p.id) <> (p.status = 'signed')::int""",
    "a signed proposal without 1 engagement": """
        SELECT p.id FROM proposals p
        WHERE p.organization_id = %(organization_id)s AND p.status = 'signed'
          AND (p.converted_engagement_id IS NULL
               OR (SELECT count(*) FROM engagements e WHERE e.organization_id = p.organization_id
                   AND e.proposal_id = p.id)
                  <> (p.engagement_id IS DISTINCT FROM p.converted_engagement_id)::int)""",
    "a signed proposal without 1 order": """
        SELECT p.id FROM proposals p
        WHERE p.organization_id = %(organization_id)s AND p.status = 'signed'
          AND (SELECT count(*) FROM orders o WHERE o.organization_id = p.organization_id
               AND o.proposal_id = p.id AND o.id = p.converted_order_id) <> 1""",
    "a signed proposal without a project for each item that was chosen": """
        SELECT i.id FROM proposals p JOIN proposal_items i
          ON i.organization_id = p.organization_id AND i.proposal_id = p.id
        JOIN signatures s ON s.organization_id = p.organization_id AND s.proposal_id = p.id
        WHERE p.organization_id = %(organization_id)s AND p.status = 'signed'
          AND (SELECT count(*) FROM projects r WHERE r.organization_id = p.organization_id
               AND r.proposal_item_id = i.id)
            <> coalesce(s.selection @> jsonb_build_array(jsonb_build_object('id', i.id)),
                        true)::int""",
    "a project from a proposal without 1 conversation": """
        SELECT r.id FROM projects r
        WHERE r.organization_id = %(organization_id)s AND r.proposal_item_id IS NOT NULL
          AND (SELECT count(*) FROM conversations c WHERE c.organization_id = r.organization_id
               AND c.project_id = r.id) <> 1""",
    "an order that is billed at once without 1 first invoice": """
        SELECT o.id FROM orders o JOIN proposals p
          ON p.organization_id = o.organization_id AND p.id = o.proposal_id
        WHERE o.organization_id = %(organization_id)s AND p.billing IS NULL
          AND (SELECT count(*) FROM invoices i WHERE i.organization_id = o.organization_id
               AND i.order_id = o.id) <> 1""",
    "a signature without 1 signed document": """
        SELECT s.id FROM signatures s
        WHERE s.organization_id = %(organization_id)s AND s.proposal_id IS NOT NULL
          AND (SELECT count(*) FROM signed_documents d
               WHERE d.organization_id = s.organization_id AND d.signature_id = s.id) <> 1""",
    "an event that was asked for and not written": """
        SELECT j.id FROM jobs j LEFT JOIN activity_events a
          ON a.organization_id = j.organization_id AND a.id = j.id
        WHERE j.organization_id = %(organization_id)s AND j.kind = 'activity.record'
          AND a.id IS NULL""",
    "an event that nobody asked for": """
        SELECT a.id FROM activity_events a LEFT JOIN jobs j
          ON j.organization_id = a.organization_id AND j.id = a.id
        WHERE a.organization_id = %(organization_id)s AND j.id IS NULL""",
    "an event written twice": """
        SELECT entity_id AS id FROM activity_events
        WHERE organization_id = %(organization_id)s
        GROUP BY entity_type, entity_id, entity_version, type HAVING count(*) > 1""",
    "a project whose moves do not lead to its status": """
        SELECT r.id FROM projects r
        CROSS JOIN LATERAL (
          SELECT array_agg(a.from_state ORDER BY a.entity_version) AS origins,
                 array_agg(a.to_state ORDER BY a.entity_version) AS targets
          FROM activity_events a
          WHERE a.organization_id = r.organization_id AND a.entity_type = 'project'
            AND a.entity_id = r.id AND a.type = 'status_changed') m
        WHERE r.organization_id = %(organization_id)s AND r.proposal_item_id IS NOT NULL
          AND coalesce(m.origins, '{}') || r.status::text
              IS DISTINCT FROM 'active'::text || coalesce(m.targets, '{}')""",
    "a project whose steps do not lead to its phase": """
        SELECT r.id FROM projects r
        CROSS JOIN LATERAL (
          SELECT array_agg(c.from_phase::text ORDER BY c.changed_at, c.id) AS origins,
                 array_agg(c.to_phase::text ORDER BY c.changed_at, c.id) AS targets
          FROM phase_changes c
          WHERE c.organization_id = r.organization_id AND c.project_id = r.id) m
        WHERE r.organization_id = %(organization_id)s
          AND m.origins || r.phase::text IS DISTINCT FROM NULL::text || m.targets""",
    "a step of a project without its event": """
        SELECT r.id FROM projects r
        WHERE r.organization_id = %(organization_id)s
          AND (SELECT count(*) FROM phase_changes c WHERE c.organization_id = r.organization_id
               AND c.project_id = r.id AND c.from_phase IS NOT NULL)
           <> (SELECT count(*) FROM activity_events a WHERE a.organization_id = r.organization_id
               AND a.entity_id = r.id AND a.type = 'phase_changed')""",
    "a conversation whose last_message_at is not the maximum": """
        SELECT c.id FROM conversations c
        WHERE c.organization_id = %(organization_id)s
          AND ROW(c.last_message_at, c.last_activity_at) IS DISTINCT FROM (
            SELECT ROW(max(m.created_at) FILTER (WHERE NOT m.is_internal), max(m.created_at))
            FROM messages m WHERE m.organization_id = c.organization_id
              AND m.conversation_id = c.id AND m.deleted_at IS NULL)""",
    "a job that is not terminal, or dead": """
        SELECT id FROM jobs WHERE organization_id = %(organization_id)s
          AND state IN ('ready', 'running', 'dead')""",
}
_TENANT_TABLES = """SELECT c.table_name AS name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND c.column_name = 'organization_id'
      AND t.table_type = 'BASE TABLE'"""


# The mails that jobs ask for: how their Message-ID begins, to whom, and whether the job, done, must
# have sent it. An owner is told only where the organization has one, and a link is not mailed to
# whoever has signed before; what the product says was delivered must have been.
_MAILS = """
    WITH asked AS (
      SELECT kind, state = 'done' AS is_done, dedupe_key,
             (payload->>'link_id')::uuid AS link_id,
             (payload->>'signature_id')::uuid AS signature_id
      FROM jobs WHERE organization_id = %(organization_id)s AND kind LIKE 'sales.mail_%%'),
    owner AS (
      SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id
      WHERE m.organization_id = %(organization_id)s AND m.role = 'owner' AND m.deleted_at IS NULL
      ORDER BY m.created_at LIMIT 1)
    SELECT 'signing_link.' || l.id AS key, c.email AS recipient,
           is_done AND l.revoked_at IS NULL
             AND (p.status = 'sent' OR l.delivered_at IS NOT NULL) AS is_due
    FROM asked JOIN signing_links l ON l.id = link_id
    JOIN proposals p ON p.organization_id = l.organization_id AND p.id = l.proposal_id
    JOIN contacts c ON c.organization_id = l.organization_id AND c.id = l.contact_id
    WHERE l.organization_id = %(organization_id)s AND kind = 'sales.mail_signing_link'
    UNION ALL
    SELECT 'signed_client.' || s.id, c.email, is_done
    FROM asked JOIN signatures s ON s.id = signature_id
    JOIN proposals p ON p.organization_id = s.organization_id AND p.id = s.proposal_id
    JOIN contacts c ON c.organization_id = p.organization_id AND c.id = p.contact_id
    WHERE s.organization_id = %(organization_id)s AND kind = 'sales.mail_signed'
    UNION ALL
    SELECT 'signed_owner.' || signature_id, owner.email, is_done FROM asked CROSS JOIN owner
    WHERE kind = 'sales.mail_signed_owner'
    UNION ALL
    SELECT 'declined_owner.' || replace(dedupe_key, ':', '.'), owner.email, is_done
    FROM asked CROSS JOIN owner WHERE kind = 'sales.mail_declined'"""


def violations(tenant: Tenant) -> list[str]:
    """What contradicts the rules in the tenant's records, in words; empty when all is well."""
    found = []
    for rule, sql in RULES.items():
        if rows := tenant.rows(sql):
            found.append(f"{len(rows)} x {rule}, such as {rows[0]['id']}")
    return found


def crossings(tenant: Tenant, foreign_words: str) -> list[str]:
    """The tables in which the tenant's own rows hold a word that only another tenant writes."""
    found = []
    for table in tenant.rows(_TENANT_TABLES):
        condition = "strpos(t::text, %(word)s) > 0"
        if n := tenant.count(f"{table['name']} t", condition, word=foreign_words):
            found.append(f"{n} rows of {table['name']} hold another tenant's words")
    return found


def mails(tenant: Tenant) -> dict[tuple[str, str], bool]:
    """The mails that were asked for, by the beginning of their Message-ID and the recipient, and
    whether each must have been sent by now."""
    return {(row["key"], row["recipient"]): row["is_due"] for row in tenant.rows(_MAILS)}


def mail_violations(
    tenants: Sequence[Tenant], received: Collection[tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """The mails that are done and were not received, and those that nobody asked for."""
    asked = {mail: is_due for tenant in tenants for mail, is_due in mails(tenant).items()}
    lost = [mail for mail, is_due in asked.items() if is_due and mail not in received]
    strange = [mail for mail in received if mail not in asked]
    return (
        [f"the mail {key} to {recipient} was not received" for key, recipient in lost],
        [f"nobody asked for the mail {key} to {recipient}" for key, recipient in strange],
    )


def unfinished(tenant: Tenant) -> list[dict[str, Any]]:
    """The jobs that wait or run."""
    return tenant.rows(
        "SELECT kind, state, attempts, last_error, run_at - now() AS due, publish_after - now() AS"
        " hint FROM jobs WHERE organization_id = %(organization_id)s"
        " AND state IN ('ready', 'running')"
    )


def assert_fulfilled_once(tenant: Tenant, signatures: int = 1, seconds: float = 15.0) -> None:
    """Within `seconds`, each of the tenant's signatures (of three items) is carried out, once."""
    eventually(lambda: tenant.count("orders") == signatures, seconds)
    eventually(lambda: unfinished(tenant) or "none", seconds, until="none")
    assert tenant.count("signatures") == signatures
    assert tenant.count("engagements") == signatures
    assert tenant.count("projects") == 3 * signatures
    assert violations(tenant) == []
