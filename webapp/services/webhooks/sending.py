"""What is sent where: deliveries made of events, and what came of each try.

A delivery is a row and a job, written in the transaction that makes the event visible. The job
sends outside of any transaction, and each try is written down in one of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, select

from models.activity import ActivityEvent
from models.db.base import db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id
from models.identity import Membership, Organization, User
from models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from webapp.services.activity.events import record_activity
from webapp.services.common.batches import delete_batch
from webapp.services.common.writes import now, touch
from webapp.services.jobs.enqueue import enqueue
from webapp.services.webhooks.messages import (
    event_name,
    is_for_clients,
    message_of,
    signed_headers,
)

# How long every try at an endpoint has to have failed before it is switched off, and how many.
FAILING_DAYS, FEWEST_FAILURES = 3, 10
# After so many failures in a row an endpoint is tried once in so many seconds.
PATIENT_FAILURES, PAUSE_SECONDS = 5, 60
DELIVERY_DAYS = 30
PRUNE_LIMIT = 1000
ENDED = "The webhook was switched off before it could be delivered."


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to be sent."""

    organization_id: UUID
    delivery_id: UUID
    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try; without an `error` and with a 2xx status it was taken."""

    milliseconds: int
    status: int | None
    excerpt: str | None
    error: str | None
    is_success: bool
    is_gone: bool


def announce(event_ids: Sequence[UUID]) -> None:
    """Make a delivery of each of these new events for each endpoint that wants it.

    Deliveries to one endpoint about one record are sent in the order of the events' positions.
    """
    if not event_ids:
        return
    organization_id = current_organization_id()
    endpoints = db.session.execute(
        select(WebhookEndpoint.id, WebhookEndpoint.event_types, WebhookEndpoint.audience).where(
            WebhookEndpoint.organization_id == organization_id, WebhookEndpoint.is_active
        )
    ).all()
    if not endpoints:
        return
    columns = ActivityEvent.__table__.columns
    found = db.session.execute(
        select(*columns)
        .where(columns.organization_id == organization_id, columns.id.in_(event_ids))
        .order_by(columns.position)
    )
    made = []
    for row in found.mappings():
        event = {str(name): value for name, value in row.items()}
        name = event_name(event)
        for endpoint in endpoints:
            if endpoint.event_types and name not in endpoint.event_types:
                continue
            if endpoint.audience == "clients" and not is_for_clients(event):
                continue
            delivery = WebhookDelivery(
                id=uuid7(),
                endpoint_id=endpoint.id,
                event_id=event["id"],
                event_type=name,
                payload=message_of(event, endpoint.audience),
            )
            about = f"{endpoint.id}:{event['entity_type']}:{event['entity_id']}"
            delivery.job_id = ask_for_delivery(delivery.id, 0, about)
            made.append(delivery)
    if made:
        insert_records(made)


def ask_for_delivery(delivery_id: UUID, replays: int, about: str | None = None) -> UUID:
    """Ask for the job that sends a delivery; after others that are about the same record."""
    return enqueue(
        "webhooks.deliver",
        f"{delivery_id}:{replays}",
        {"delivery_id": str(delivery_id)},
        ordering_key=f"webhook:{about}" if about else None,
    )


def letter_of(delivery_id: UUID) -> Letter | None:
    """The message of a delivery, signed; None when there is nothing to send any more."""
    organization_id = current_organization_id()
    delivery = db.session.get(WebhookDelivery, (organization_id, delivery_id))
    if delivery is None or delivery.state == "delivered":
        return None
    endpoint = db.session.get_one(WebhookEndpoint, (organization_id, delivery.endpoint_id))
    if not endpoint.is_active:
        delivery.state, delivery.error = "failed", ENDED
        return None
    body = orjson.dumps(delivery.payload, option=orjson.OPT_SORT_KEYS)
    secrets = [endpoint.secret]
    until = endpoint.previous_secret_until
    if endpoint.previous_secret is not None and until is not None and until > now():
        secrets.append(endpoint.previous_secret)
    headers = {
        **signed_headers(str(delivery.event_id), body, now(), secrets),
        "Content-Type": "application/json",
        "User-Agent": "ServiceEngineX-Webhooks/1",
    }
    return Letter(organization_id, delivery_id, endpoint.url, body, headers)


def is_resting(delivery_id: UUID) -> bool:
    """Whether the delivery's endpoint fails all the time and was tried a moment ago.

    Each try at a receiver that hangs takes others' time, so that not all that waits is tried.
    """
    found = db.session.scalar(
        select(WebhookEndpoint.id)
        .join(
            WebhookDelivery,
            (WebhookDelivery.organization_id == WebhookEndpoint.organization_id)
            & (WebhookDelivery.endpoint_id == WebhookEndpoint.id),
        )
        .where(
            WebhookDelivery.organization_id == current_organization_id(),
            WebhookDelivery.id == delivery_id,
            WebhookEndpoint.is_active,
            WebhookEndpoint.failure_count >= PATIENT_FAILURES,
            WebhookEndpoint.last_failed_at > func.now() - dt.timedelta(seconds=PAUSE_SECONDS),
        )
    )
    return found is not None


def record_attempt(delivery_id: UUID, outcome: Outcome) -> None:
    """Write down what came of a try, on the delivery and on its endpoint.

    An endpoint that says it is gone, or that has failed for long, is switched off and its
    organization's owners are told.
    """
    organization_id = current_organization_id()
    delivery = db.session.get(WebhookDelivery, (organization_id, delivery_id), with_for_update=True)
    if delivery is None:
        return  # deleted with its endpoint meanwhile
    delivery.attempts += 1
    if outcome.is_success or delivery.state != "delivered":  # a late one says nothing new
        delivery.response_status, delivery.response_excerpt = outcome.status, outcome.excerpt
        delivery.error = outcome.error
    told = {
        "milliseconds": outcome.milliseconds,
        "response_status": outcome.status,
        "response_excerpt": outcome.excerpt,
        "error": outcome.error,
    }
    insert_records([WebhookAttempt(delivery_id=delivery_id, n=delivery.attempts, **told)])
    if outcome.is_success:
        delivery.state, delivery.delivered_at = "delivered", now()
    endpoint = db.session.get_one(
        WebhookEndpoint, (organization_id, delivery.endpoint_id), with_for_update=True
    )
    if outcome.is_success:
        if endpoint.failing_since is not None:
            endpoint.failure_count, endpoint.failing_since = 0, None
        return
    endpoint.failure_count += 1
    endpoint.failing_since = endpoint.failing_since or now()
    endpoint.last_failed_at = now()
    for_long = now() - endpoint.failing_since > dt.timedelta(days=FAILING_DAYS)
    if outcome.is_gone:
        _switch_off(endpoint, "The receiver answered 410 Gone.")
    elif for_long and endpoint.failure_count >= FEWEST_FAILURES:
        _switch_off(endpoint, f"Every delivery has failed for {FAILING_DAYS} days.")


def note_failed(delivery_id: UUID, reason: str) -> None:
    """Write down that a delivery was given up."""
    delivery = db.session.get(
        WebhookDelivery, (current_organization_id(), delivery_id), with_for_update=True
    )
    if delivery is not None and delivery.state == "pending":
        delivery.state, delivery.error = "failed", delivery.error or reason


def _switch_off(endpoint: WebhookEndpoint, reason: str) -> None:
    if not endpoint.is_active:
        return
    endpoint.is_active = False
    endpoint.disabled_at, endpoint.disabled_reason = now(), reason
    touch(endpoint)
    record_activity(endpoint, "disabled", metadata={"reason": reason})
    owners = db.session.scalars(
        select(Membership.user_id).where(
            Membership.organization_id == endpoint.organization_id,
            Membership.role == "owner",
            Membership.deleted_at.is_(None),
        )
    )
    for user_id in owners:
        enqueue(
            "webhooks.mail_disabled",
            f"{endpoint.id}:{endpoint.row_version}:{user_id}",
            {
                "webhook_id": str(endpoint.id),
                "user_id": str(user_id),
                "row_version": endpoint.row_version,
            },
        )


def disabled_facts(webhook_id: UUID, user_id: UUID) -> dict[str, Any] | None:
    """What the mail about an endpoint that was switched off tells; None when it is on again."""
    organization_id = current_organization_id()
    endpoint = db.session.get(WebhookEndpoint, (organization_id, webhook_id))
    user = db.session.get(User, user_id)
    if endpoint is None or endpoint.is_active or user is None:
        return None
    return {
        "organization": {"name": db.session.get_one(Organization, organization_id).name},
        "to": (user.name, user.email),
        "webhook": {"url": endpoint.url, "reason": endpoint.disabled_reason},
    }


def prune_deliveries() -> int:
    """Forget a bounded batch of deliveries that ended long ago; asks for the next if more is left.

    Returns how many there were.
    """
    days = func.make_interval(0, 0, 0, DELIVERY_DAYS)
    count = delete_batch(
        WebhookDelivery,
        (WebhookDelivery.state != "pending") & (WebhookDelivery.created_at < func.now() - days),
        PRUNE_LIMIT,
    )
    if count >= PRUNE_LIMIT:
        enqueue("webhooks.prune", f"more:{uuid7()}", {})
    return count
