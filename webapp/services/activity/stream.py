"""The events of the whole organization: listed by time, and followed by position.

Who reads them sees the events of those records that they may read (rulings.md, *Events*).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from models.activity import ActivityEvent
from webapp.services.common.reads import Filter, RecordQuery, among, before, equals, from_on

# Each kind of record that events tell of, and the domain whose permission it takes to read it.
DOMAINS: dict[str, str] = {
    "organization": "identity",
    "membership": "identity",
    "api_key": "identity",
    "client_company": "crm",
    "contact": "crm",
    "deal": "crm",
    "service": "catalog",
    "project_template": "catalog",
    "engagement_template": "catalog",
    "proposal": "sales",
    "contract": "sales",
    "signature": "sales",
    "engagement": "engagements",
    "engagement_contract": "engagements",
    "custom_field_definition": "engagements",
    "project": "projects",
    "milestone": "projects",
    "task": "projects",
    "time_entry": "projects",
    "conversation": "conversations",
    "message": "conversations",
    "order": "billing",
    "invoice_schedule": "billing",
    "invoice": "billing",
    "payment": "billing",
    "credit_note": "billing",
    "file_object": "files",
    "portal_access": "portal",
    "webhook_endpoint": "webhooks",
    "job": "jobs",
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


def readable_entities(may_read: Callable[[str], bool]) -> list[str] | None:
    """The kinds of records whose events may be read; None for all.

    `may_read` says of a domain whether its records may be. A kind that is not in the table is for
    nobody who may not read all domains.
    """
    refused = {domain for domain in set(DOMAINS.values()) if not may_read(domain)}
    if not refused:
        return None
    return sorted(kind for kind, domain in DOMAINS.items() if domain not in refused)
