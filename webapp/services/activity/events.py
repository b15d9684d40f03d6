"""The activity log: what happened to what, by whom (rulings.md, *Activity*).

The event's id is its job's id, so it is written once, however often the job is tried. Events of
one record are ordered by its row version, which was taken under its lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, select, text, union

from models.activity import ActivityEvent
from models.db.base import TenantRecord, db, uuid7
from models.db.queries import bound
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement, EngagementContract
from models.identity import Organization
from models.sales import Proposal
from webapp.services.common.reads import Filter, RecordQuery, equals
from webapp.services.jobs.enqueue import enqueue


def record_activity(
    record: TenantRecord | Organization,
    type: str,
    *,
    engagement_id: UUID | None = None,
    from_: str | None = None,
    to: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> UUID:
    """Ask for an event about `record` on its engagement's timeline; returns the event's id.

    `type` is created, updated, deleted, restored, status_changed, phase_changed, sent, viewed,
    signed, declined, …
    """
    principal = current_principal()
    entity_type = record.noun
    engagement_id = engagement_id or getattr(record, "engagement_id", None)
    if entity_type == "engagement":
        engagement_id = record.id
    version = getattr(record, "row_version", 1)
    source = "portal" if principal.kind.endswith("_link") else principal.kind
    return enqueue(
        "activity.record",
        f"{entity_type}:{record.id}:{version}:{type}",
        {
            "type": type,
            "action": f"{source}:{entity_type}:{type}",
            "entity_type": entity_type,
            "entity_id": str(record.id),
            "entity_version": version,
            "engagement_id": str(engagement_id) if engagement_id else None,
            "actor": principal.actor,
            "from": from_,
            "to": to,
            "metadata": dict(metadata or {}),
        },
    )


# The stream's row is held until the commit: no event becomes visible after a later one.
_RECORD = text(
    """WITH asked AS (
         SELECT j.*, row_number() OVER (ORDER BY j.seq) AS n FROM jobs j
         WHERE j.organization_id = :organization_id AND j.id = ANY(:ids)),
       stream AS (
         INSERT INTO event_streams AS s (organization_id, id, last_position)
         SELECT :organization_id, :stream_id, count(*) FROM asked HAVING count(*) > 0
         ON CONFLICT (organization_id) DO UPDATE
             SET last_position = s.last_position + excluded.last_position
         RETURNING last_position - (SELECT count(*) FROM asked) AS before)
       INSERT INTO activity_events (organization_id, id, engagement_id, type, action, entity_type,
              entity_id, entity_version, actor, from_state, to_state, metadata, occurred_at,
              position)
       SELECT j.organization_id, j.id, e.id, j.payload->>'type', j.payload->>'action',
              j.payload->>'entity_type', (j.payload->>'entity_id')::uuid,
              (j.payload->>'entity_version')::int, j.payload->'actor', j.payload->>'from',
              j.payload->>'to', j.payload->'metadata', j.created_at, stream.before + j.n
       FROM asked j CROSS JOIN stream
       LEFT JOIN engagements e ON e.organization_id = j.organization_id
            AND e.id = (j.payload->>'engagement_id')::uuid
       ON CONFLICT DO NOTHING RETURNING id, engagement_id"""
)


@dataclass(frozen=True, slots=True)
class Written:
    """The events that were written now, and the engagements on whose timelines they are."""

    ids: list[UUID]
    engagement_ids: set[UUID]


def write_events(job_ids: Sequence[UUID]) -> Written:
    """Write the events that these jobs ask for, in one statement; a second time changes nothing.

    Each gets the organization's next position (rulings.md, *Events*).
    """
    values = {
        "organization_id": current_organization_id(),
        "ids": list(job_ids),
        "stream_id": uuid7(),
    }
    rows = db.session.execute(_RECORD, values).all()
    return Written(
        [row.id for row in rows], {row.engagement_id for row in rows if row.engagement_id}
    )


_ENGAGEMENT_ID = bound("engagement_id", Engagement.id.type)
_PROPOSALS = select(Proposal.id).where(Proposal.converted_engagement_id == _ENGAGEMENT_ID)
_CONTRACTS: CompoundSelect[Any] = union(
    select(EngagementContract.contract_id).where(
        EngagementContract.engagement_id == _ENGAGEMENT_ID
    ),
    select(Engagement.contract_id).where(Engagement.id == _ENGAGEMENT_ID),
)

TIMELINE = RecordQuery(
    ActivityEvent,
    domain="activity",
    noun="event",
    order="occurred_at",
    # A proposal and its contract have a history from before there was an engagement.
    branches=(
        ActivityEvent.engagement_id == _ENGAGEMENT_ID,
        ActivityEvent.engagement_id.is_(None)
        & (ActivityEvent.entity_type == "proposal")
        & ActivityEvent.entity_id.in_(_PROPOSALS),
        ActivityEvent.engagement_id.is_(None)
        & (ActivityEvent.entity_type == "contract")
        & ActivityEvent.entity_id.in_(_CONTRACTS),
    ),
    filters={
        "type": equals(ActivityEvent.type),
        "entity_type": equals(ActivityEvent.entity_type),
    },
    within={
        "engagement_id": Filter(
            lambda value: (
                select(Engagement.id)
                .where(Engagement.id == value, Engagement.deleted_at.is_(None))
                .exists()
            ),
            Engagement.id.type,
        )
    },
)
