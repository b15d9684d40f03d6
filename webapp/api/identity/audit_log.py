"""The audit log: read and exported, never written to over REST."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import g
from marshmallow import validate

from models.db.tenancy import current_context
from models.identity import AUDIT_KINDS
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.api.framework.tables import csv_answer
from webapp.core.transaction import in_transaction
from webapp.http.responses import ApiResponse
from webapp.schemas.access import AuditEventOut, AuditEventRow
from webapp.schemas.common import Input, Moment, PlainText, reference
from webapp.services.identity.audit import AUDIT, export_events, export_recorded

blueprint = ApiBlueprint(
    "audit_log",
    "/api/audit-log",
    description="Who came in, and who changed what others may do; for administrators.",
)

FILTERS: Mapping[str, Any] = {
    "kind": PlainText(validate=validate.OneOf(AUDIT_KINDS)),
    "actor_id": reference(allow_none=False),
    "entity_id": reference(allow_none=False),
    "occurred_from": Moment(),
    "occurred_before": Moment(),
}

audit_log = Resource(
    blueprint, "audit_event", records=AUDIT, out=AuditEventOut, filters=dict(FILTERS)
)
audit_log.list("List the events of the audit log")
audit_log.retrieve("Retrieve an event of the audit log")


def _recorded(answer: ApiResponse) -> ApiResponse:
    """Tell the log that it was exported, once what was read is known."""
    filters, count = g.pop("exported_events")
    in_transaction(current_context(), lambda: export_recorded(filters, count))
    return answer


@blueprint.operation(
    "GET",
    "/export.csv",
    permission="audit:read",
    query=Input.from_dict(dict(FILTERS), name="AuditLogExportQuery"),
    content_type="text/csv",
    after_commit=_recorded,
)
def export_audit_log(query: Mapping[str, Any]) -> ApiResponse:
    """Export the audit log as a table for a spreadsheet, at most 50,000 events"""
    rows = export_events(query)
    g.exported_events = (query, len(rows))
    return csv_answer("audit-log", AuditEventRow(), [_as_line(row) for row in rows])


def _as_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event with what has parts of its own in columns, or as JSON."""
    actor = {f"actor_{name}": row["actor"][name] for name in ("kind", "id", "name")}
    return {**row, **actor, "details": json.dumps(row["details"], sort_keys=True)}
