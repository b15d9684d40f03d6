"""The endpoints that hear of events: made, changed, tried out; their secrets, and their end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select

from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict
from webapp.services.common.reads import RecordQuery, aggregate, equals
from webapp.services.common.writes import change, create, lock, now, touch
from webapp.services.webhooks.messages import (
    TEST_EVENT,
    new_secret,
    shown_secret,
    trial_message,
)
from webapp.services.webhooks.sending import ask_for_delivery

MOST_ENDPOINTS = 20
OVERLAP_HOURS = 24

ENDPOINTS = RecordQuery(
    WebhookEndpoint,
    domain="webhooks",
    noun="webhook",
    deferred=("secret", "previous_secret"),
)
DELIVERIES = RecordQuery(
    WebhookDelivery,
    domain="webhooks",
    noun="delivery",
    filters={"state": equals(WebhookDelivery.state)},
    within={"webhook_id": equals(WebhookDelivery.endpoint_id)},
)
# By its own id, with the message and every try.
DELIVERY = replace(
    DELIVERIES,
    within={},
    filters={},
    children={
        "attempts_log": aggregate(
            select(WebhookAttempt)
            .where(
                WebhookAttempt.organization_id == WebhookDelivery.organization_id,
                WebhookAttempt.delivery_id == WebhookDelivery.id,
            )
            .correlate(WebhookDelivery),
            WebhookAttempt.n,
            n=WebhookAttempt.n,
            at=WebhookAttempt.created_at,
            milliseconds=WebhookAttempt.milliseconds,
            response_status=WebhookAttempt.response_status,
            response_excerpt=WebhookAttempt.response_excerpt,
            error=WebhookAttempt.error,
        )
    },
)


def create_endpoint(values: Mapping[str, Any]) -> dict[str, Any]:
    """Make an endpoint; the answer has its `secret`, the only time that it is shown.

    Raises Conflict beyond `MOST_ENDPOINTS`.
    """
    # Two at once may both be the last one: it is a bound for the work, not a promise.
    count = db.session.scalar(
        select(func.count()).where(WebhookEndpoint.organization_id == current_organization_id())
    )
    if (count or 0) >= MOST_ENDPOINTS:
        raise Conflict(f"There are {MOST_ENDPOINTS} webhooks already; delete one first.")
    secret = new_secret()
    endpoint = create(WebhookEndpoint(secret=secret, **values))
    return {**ENDPOINTS.get(endpoint.id), "secret": shown_secret(secret)}


def update_endpoint(
    values: Mapping[str, Any], webhook_id: UUID, *, expected_row_version: int | None = None
) -> WebhookEndpoint:
    """Change an endpoint, or switch it off and on again; on, it starts afresh.

    Raises NotFound, StaleVersion.
    """
    values = dict(values)
    endpoint = lock(WebhookEndpoint, webhook_id, expected_row_version=expected_row_version)
    if values.get("is_active") and not endpoint.is_active:
        endpoint.failure_count, endpoint.failing_since = 0, None
        endpoint.disabled_at = endpoint.disabled_reason = None
    elif values.get("is_active") is False and endpoint.is_active:
        endpoint.disabled_at, endpoint.disabled_reason = now(), "Switched off."
    change(endpoint, values)
    return endpoint


def delete_endpoint(webhook_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Delete an endpoint with its deliveries; what waits for it is not sent any more.

    Raises NotFound, StaleVersion.
    """
    endpoint = lock(WebhookEndpoint, webhook_id, expected_row_version=expected_row_version)
    touch(endpoint)
    record_activity(endpoint, "deleted")
    db.session.flush()  # before the row goes
    db.session.execute(
        delete(WebhookEndpoint)
        .where(
            WebhookEndpoint.organization_id == current_organization_id(),
            WebhookEndpoint.id == webhook_id,
        )
        .execution_options(synchronize_session=False)
    )
    db.session.expunge(endpoint)


def rotate_secret(
    values: Mapping[str, Any], webhook_id: UUID, *, expected_row_version: int | None = None
) -> dict[str, Any]:
    """Give the endpoint a new secret, shown once; the one before signs as well for some hours.

    Raises NotFound, StaleVersion.
    """
    hours = values.get("overlap_hours", OVERLAP_HOURS)
    endpoint = lock(WebhookEndpoint, webhook_id, expected_row_version=expected_row_version)
    secret = new_secret()
    before, endpoint.secret = endpoint.secret, secret
    endpoint.previous_secret = before if hours else None
    endpoint.previous_secret_until = now() + dt.timedelta(hours=hours) if hours else None
    touch(endpoint)
    record_activity(endpoint, "secret_rotated", metadata={"overlap_hours": hours})
    db.session.flush()  # it is read back
    return {**ENDPOINTS.get(webhook_id), "secret": shown_secret(secret)}


def send_test(webhook_id: UUID, *, expected_row_version: int | None = None) -> WebhookDelivery:
    """Send the endpoint a message that says it is a test.

    Raises NotFound, StaleVersion, and Conflict when it is switched off.
    """
    endpoint = lock(WebhookEndpoint, webhook_id, expected_row_version=expected_row_version)
    refuse_inactive(endpoint)
    delivery = WebhookDelivery(
        id=uuid7(),
        endpoint_id=webhook_id,
        event_id=uuid7(),
        event_type=TEST_EVENT,
        payload=trial_message(webhook_id, now()),
    )
    delivery.job_id = ask_for_delivery(delivery.id, 0)
    db.session.add(delivery)
    db.session.flush()  # it is read back
    return delivery


def replay(delivery_id: UUID, *, expected_row_version: int | None = None) -> WebhookDelivery:
    """Send a delivery again that has ended, the same message under the same id.

    Raises NotFound, and Conflict while it is still on its way or its endpoint is switched off.
    """
    delivery = lock(WebhookDelivery, delivery_id, expected_row_version=expected_row_version)
    refuse_inactive(lock(WebhookEndpoint, delivery.endpoint_id, share=True))
    if delivery.state == "pending":
        raise Conflict("It is on its way; wait until it has been delivered or has failed.")
    delivery.replays += 1
    delivery.state, delivery.delivered_at = "pending", None
    delivery.job_id = ask_for_delivery(delivery.id, delivery.replays)
    db.session.flush()  # it is read back
    return delivery


def refuse_inactive(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise Conflict("This webhook is switched off; set is_active to true first.")
