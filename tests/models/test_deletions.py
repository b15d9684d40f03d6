"""What a deletion in the database takes along, empties or stumbles over."""

from __future__ import annotations

import pytest

from tests.models.test_table_rules import TABLES, foreign_keys

# E, *Foreign Keys*, and retention.md, *Purge*: what a deletion does.
ON_DELETE = {
    ("engagements", "contract_id"): "SET NULL (contract_id)",
    ("engagements", "deal_id"): "SET NULL (deal_id)",
    ("engagements", "client_company_id"): "SET NULL (client_company_id)",
    ("engagements", "contact_id"): "SET NULL (contact_id)",
    ("projects", "engagement_id"): "CASCADE",
    ("tasks", "project_id"): "CASCADE",
    ("conversations", "project_id"): "CASCADE",
    ("messages", "conversation_id"): "CASCADE",
    ("invoices", "engagement_id"): "CASCADE",
    ("invoice_schedules", "engagement_id"): "CASCADE",
    ("file_objects", "engagement_id"): "CASCADE",
    ("file_versions", "file_id"): "CASCADE",
    ("file_versions", "content_id"): "NO ACTION",
    ("activity_events", "engagement_id"): "CASCADE",
    ("portal_accesses", "engagement_id"): "CASCADE",
    ("signatures", "proposal_id"): "NO ACTION",
    ("signatures", "contract_id"): "NO ACTION",
    ("signed_documents", "signature_id"): "NO ACTION",
    ("orders", "engagement_id"): "NO ACTION",
    ("orders", "proposal_id"): "NO ACTION",
    ("payment_allocations", "invoice_id"): "NO ACTION",
    ("billing_documents", "invoice_id"): "NO ACTION",
    ("credit_notes", "invoice_id"): "NO ACTION",
}


@pytest.mark.parametrize(("place", "rule"), ON_DELETE.items(), ids=str)
def test_a_deletion_reaches_as_far_as_document_e_says(place: tuple[str, str], rule: str) -> None:
    table, column = place
    (found,) = [fk for fk in foreign_keys(TABLES[table]) if fk.column_keys[-1] == column]
    assert found.ondelete == rule


def test_restrict_is_not_used_because_it_would_keep_an_organization_from_going() -> None:
    restricted = [
        f"{table.name}.{fk.column_keys}"
        for table in TABLES.values()
        for fk in foreign_keys(table)
        if fk.ondelete in (None, "RESTRICT")
    ]
    assert restricted == []
