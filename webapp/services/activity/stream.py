"""The events of the whole organization: listed by time, and followed by position.

Who reads them sees the events of those records that they may read (rulings.md, *Events*).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from models.activity import ActivityEvent
from webapp.services.common.reads import Filter, RecordQuery, among, before, equals, from_on

# Each kind of record that events tell of, and the permission that it takes to read it.
PERMISSIONS: dict[str, str] = {
    "organization": "identity:read",
    "membership": "identity:read",
    "api_key": "identity:write",
    "client_company": "crm:read",
    "contact": "crm:read",
    "deal": "crm:read",
    "service": "catalog:read",
    "project_template": "catalog:read",
    "engagement_template": "catalog:read",
    "proposal": "sales:read",
    "contract": "sales:read",
    "signature": "sales:read",
    "engagement": "engagements:read",
    "engagement_contract": "engagements:read",
    "custom_field_definition": "engagements:read",
    "project": "projects:read",
    "milestone": "projects:read",
    "task": "projects:read",
    "time_entry": "projects:read",
    "conversation": "conversations:read",
    "message": "conversations:read",
    "order": "billing:read",
    "invoice_schedule": "billing:read",
    "invoice": "billing:read",
    "payment": "billing:read",
    "credit_note": "billing:read",
    "file_object": "files:read",
    "portal_access": "portal:read",
    "webhook_endpoint": "webhooks:read",
    "job": "jobs:read",
    "bank_statement": "billing:read",
    "bank_entry": "billing:read",
    "checkout_session": "billing:read",
    "refund": "billing:read",
    "invitation": "identity:write",
    "login_session": "identity:write",
}

EVENTS = RecordQuery(
    ActivityEvent,
    domain="activity",
    noun="event",
    order="occurred_at",
    filters={
        "type": equals(ActivityEvent.type),
        "entity_type": equals(ActivityEvent.entity_type),
        "entity_id": equals(ActivityEvent.entity_id),
        "engagement_id": equals(ActivityEvent.engagement_id),
        "since": from_on(ActivityEvent.occurred_at),
        "until": before(ActivityEvent.occurred_at),
        "readable": among(ActivityEvent.entity_type),
    },
)
# By position: what has none is from before positions were given.
FOLLOWED = replace(
    EVENTS,
    order="position",
    condition=ActivityEvent.position.is_not(None),
    filters={
        **EVENTS.filters,
        "after": Filter(lambda value: ActivityEvent.position > value, ActivityEvent.position.type),
    },
)


def readable_entities(may: Callable[[str], bool]) -> list[str] | None:
    """The kinds of records whose events may be read; None for all.

    `may` says whether the caller has a permission. A kind that is not in the table is for those
    alone who have them all.
    """
    refused = {permission for permission in set(PERMISSIONS.values()) if not may(permission)}
    if not refused:
        return None
    return sorted(kind for kind, needed in PERMISSIONS.items() if needed not in refused)
