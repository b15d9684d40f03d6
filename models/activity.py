"""The timeline: what happened to what, when, and who did it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, belongs_to
from models.db.constraints import at_least, index, json_object, not_blank


class ActivityEvent(TenantRecord):
    """One thing that happened. Append-only; `id` is that of the job that recorded it.

    `position` counts the organization's events in the order in which they became visible; those
    of before it was counted have none.

    Events of one entity are ordered by `entity_version`, the row version it had after the
    change: times may tie, and jobs may run in any order. Jobs are pruned and events stay, so
    the job is not referenced. `action` reads `source:subject:action`.
    """

    __tablename__ = "activity_events"
    noun = "activity_event"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        not_blank("type"),
        not_blank("action"),
        json_object("actor"),
        json_object("metadata"),
        index("activity_events", "occurred_at", "id"),
        index("activity_events", "engagement_id", "occurred_at", "id"),
        index("activity_events", "entity_type", "entity_id", "entity_version"),
        index("activity_events", "type", "occurred_at", "id"),
        index("activity_events", "entity_type", "occurred_at", "id"),
        index("activity_events", "position", where="position IS NOT NULL", unique=True),
    )

    engagement_id: Mapped[UUID | None]
    type: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(128))
    entity_type: Mapped[str] = mapped_column(String(64))
    entity_id: Mapped[UUID]
    entity_version: Mapped[int]
    actor: Mapped[dict[str, Any]] = mapped_column(JSONB)
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    event_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", JSONB, server_default=text("'{}'"), default=dict
    )
    occurred_at: Mapped[dt.datetime]
    position: Mapped[int | None] = mapped_column(BigInteger)


class EventStream(TenantRecord):
    """The last position that an event of the organization has got.

    Its row is locked from the giving of positions to their commit, so that an event never becomes
    visible after one with a higher position.
    """

    __tablename__ = "event_streams"
    noun = "event_stream"
    __table_args__ = (
        UniqueConstraint("organization_id"),
        at_least(0, "last_position"),
    )

    last_position: Mapped[int] = mapped_column(BigInteger)
