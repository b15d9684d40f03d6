"""The audit log: who came in, and who changed what others may do (security.md, *Audit log*).

An event is written in the transaction of what it tells of. The database lets nobody change or
delete one. What is told never holds a secret, nor the values of settings, only their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.db.base import TenantRecord
from models.db.inserts import insert_together
from models.db.queries import Row, call_function
from models.db.tenancy import Principal, current_context, current_principal
from models.identity import AUDIT_KINDS, AuditEvent, Organization
from webapp.services.common.exceptions import Invalid
from webapp.services.common.reads import PageRequest, RecordQuery, before, equals, from_on

# The most events of one export, which is held in memory whole; more are asked for by time.
MAX_EXPORTED = 50_000
_EXPORT_PAGE = 1000

AUDIT = RecordQuery(
    AuditEvent,
    domain="audit",
    noun="audit event",
    order="occurred_at",
    filters={
        "kind": equals(AuditEvent.kind),
        "actor_id": equals(AuditEvent.actor_id),
        "entity_id": equals(AuditEvent.entity_id),
        "occurred_from": from_on(AuditEvent.occurred_at),
        "occurred_before": before(AuditEvent.occurred_at),
    },
)

NOTE_ACCOUNT_EVENT = "SELECT note_account_event(%(email)s, %(kind)s, %(ip)s, %(user_agent)s)"


def record_audit(
    kind: str,
    record: TenantRecord | Organization | None = None,
    *,
    by: Principal | None = None,
    ip: str | None = None,
    user_agent: str | None = None,
    **details: Any,
) -> None:
    """Write one event about `record`, with the caller as its actor, or `by`.

    Where the caller is comes with their credential; `ip` and `user_agent` are for those who have
    none yet. `details` are small facts in JSON, never secrets. Raises ValueError for a kind that is
    not in the table.
    """
    if kind not in AUDIT_KINDS:
        raise ValueError(f"no such kind of audit event: {kind}")
    principal, shown = by or current_principal(), current_context().credential
    if shown is not None:
        ip, user_agent = shown.address, shown.user_agent
    event = AuditEvent(
        kind=kind,
        actor=principal.actor,
        actor_id=principal.subject_id or principal.credential_id,
        entity_type=record.noun if record is not None else None,
        entity_id=record.id if record is not None else None,
        ip=ip,
        user_agent=user_agent,
        details=details,
    )
    insert_together([event])


def note_account_event(email: str, kind: str, *, ip: str | None, user_agent: str | None) -> None:
    """Tell each organization of the person with this email; outside a transaction.

    It is as much work for an email that nobody has.
    """
    call_function(NOTE_ACCOUNT_EVENT, email=email, kind=kind, ip=ip, user_agent=user_agent)


def export_events(filters: Mapping[str, Any]) -> list[Row]:
    """All events that match, newest first. Raises Invalid when they are too many at once."""
    rows: list[Row] = []
    cursor = None
    while True:
        wanted = PageRequest(filters, "-occurred_at", cursor=cursor, limit=_EXPORT_PAGE)
        page = AUDIT.page(wanted)
        rows += page.rows
        if len(rows) > MAX_EXPORTED:
            short = f"These are more than {MAX_EXPORTED:,} events; ask for a shorter time."
            raise Invalid({"occurred_from": [short]})
        cursor = page.next
        if cursor is None:
            return rows


def export_recorded(filters: Mapping[str, Any], count: int) -> None:
    """Tell the audit log that it was exported itself."""
    record_audit(
        "exported",
        what="audit_log",
        rows=count,
        filters={name: str(value) for name, value in filters.items()},
    )
