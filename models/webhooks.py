"""Webhooks: where an organization wants to hear of events, and what was sent there."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, Versioned, belongs_to
from models.db.constraints import at_least, list_index, not_blank

DELIVERY_STATES = ("pending", "delivered", "failed")
AUDIENCES = ("staff", "clients")


class WebhookEndpoint(Versioned, TenantRecord):
    """An address that receives events; no `event_types` means all of them.

    The secret signs the deliveries (Standard Webhooks), so it is kept and not only its digest. So
    does the one before until `previous_secret_until`, that receivers can change over.
    An endpoint for `clients` is told of nothing that a client may not see.
    """

    __tablename__ = "webhook_endpoints"
    noun = "webhook_endpoint"
    __table_args__ = (
        not_blank("url"),
        at_least(0, "failure_count"),
        CheckConstraint("octet_length(secret) >= 24", name="secret_length"),
        CheckConstraint("audience IN ('staff', 'clients')", name="audience_known"),
        CheckConstraint(
            "(previous_secret IS NULL) = (previous_secret_until IS NULL)",
            name="previous_secret_ends",
        ),
        list_index("webhook_endpoints"),
    )

    url: Mapped[str] = mapped_column(String(2048))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_until: Mapped[dt.datetime | None]
    description: Mapped[str | None]
    event_types: Mapped[list[str]] = mapped_column(
        ARRAY(String(64)), server_default=text("'{}'"), default=list
    )
    audience: Mapped[str] = mapped_column(String(16), server_default="staff", default="staff")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    disabled_at: Mapped[dt.datetime | None]
    disabled_reason: Mapped[str | None]
    failure_count: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    failing_since: Mapped[dt.datetime | None]
    last_failed_at: Mapped[dt.datetime | None]


class WebhookDelivery(TenantRecord):
    """One event for one endpoint, and how its delivery went.

    It outlives its job, which is pruned, so the job is named and not referenced. `payload` is the
    message as it is sent each time.
    """

    __tablename__ = "webhook_deliveries"
    noun = "webhook_delivery"
    __table_args__ = (
        belongs_to("endpoint_id", "webhook_endpoints"),
        UniqueConstraint("organization_id", "endpoint_id", "event_id"),
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state_known"),
        CheckConstraint(
            "(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_at_if_delivered"
        ),
        at_least(0, "attempts"),
        at_least(0, "replays"),
        list_index("webhook_deliveries"),
        list_index("webhook_deliveries", "endpoint_id"),
        list_index("webhook_deliveries", "state"),
    )

    endpoint_id: Mapped[UUID]
    job_id: Mapped[UUID | None]
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String(16), server_default="pending", default="pending")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    replays: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    response_status: Mapped[int | None] = mapped_column(SmallInteger)
    response_excerpt: Mapped[str | None]
    error: Mapped[str | None]
    delivered_at: Mapped[dt.datetime | None]


class WebhookAttempt(TenantRecord):
    """One try at a delivery: what the receiver answered, or why there was no answer."""

    __tablename__ = "webhook_attempts"
    noun = "webhook_attempt"
    __table_args__ = (
        belongs_to("delivery_id", "webhook_deliveries"),
        UniqueConstraint("organization_id", "delivery_id", "n"),
        at_least(1, "n"),
        at_least(0, "milliseconds"),
    )

    delivery_id: Mapped[UUID]
    n: Mapped[int] = mapped_column(SmallInteger)
    milliseconds: Mapped[int]
    response_status: Mapped[int | None] = mapped_column(SmallInteger)
    response_excerpt: Mapped[str | None]
    error: Mapped[str | None]
