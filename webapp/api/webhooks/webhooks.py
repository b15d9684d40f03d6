"""Webhooks: who is told of events, and what became of it (rulings.md, *Webhooks*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import current_app
from marshmallow import validate

from models.webhooks import DELIVERY_STATES
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.core.webhook_sender import Refused, refuse_url
from webapp.http.responses import ApiResponse
from webapp.schemas.common import PlainText
from webapp.schemas.webhooks import (
    SecretRotation,
    WebhookChange,
    WebhookCreate,
    WebhookDeliveryOut,
    WebhookDeliveryWhole,
    WebhookOut,
)
from webapp.services.activity.stream import PERMISSIONS
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.webhooks import endpoints as service
from webapp.services.webhooks.endpoints import DELIVERIES, DELIVERY, ENDPOINTS

blueprint = ApiBlueprint(
    "webhooks", "/api/webhooks", description="Other programs that are told of events."
)
sent_blueprint = ApiBlueprint(
    "deliveries",
    "/api/webhooks/<uuid:webhook_id>/deliveries",
    description="What was sent to a webhook.",
)
delivery_blueprint = ApiBlueprint(
    "webhook_deliveries",
    "/api/webhook-deliveries",
    description="One event for one webhook: each try, and sending it again.",
)
BLUEPRINTS = (sent_blueprint, delivery_blueprint)


def _create(values: Mapping[str, Any]) -> dict[str, Any]:
    return service.create_endpoint(_checked(values))


def _update(
    values: Mapping[str, Any], webhook_id: UUID, *, expected_row_version: int | None = None
) -> Any:
    return service.update_endpoint(
        _checked(values), webhook_id, expected_row_version=expected_row_version
    )


def _checked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values, if the address can be one of a receiver, and its events of what there is.

    Raises Invalid naming `url`, and `event_types`.
    """
    unknown = [
        name for name in values.get("event_types", ()) if name.split(".")[0] not in PERMISSIONS
    ]
    if unknown:
        known = ", ".join(sorted(PERMISSIONS))
        raise Invalid({"event_types": [f"{unknown[0]}: begin with one of {known}."]})
    try:
        if "url" in values:
            allow = current_app.config["SETTINGS"].webhooks_allow_loopback
            refuse_url(values["url"], allow_loopback=allow)
    except Refused as refused:
        raise Invalid({"url": [str(refused)]}) from refused
    return values


webhooks = Resource(blueprint, "webhook", records=ENDPOINTS, out=WebhookOut)
webhooks.list("List webhooks")
webhooks.create("Create a webhook", WebhookCreate, _create, errors=(Conflict,))
webhooks.retrieve("Retrieve a webhook")
webhooks.update("Change a webhook, or switch it off and on", WebhookChange, _update)
webhooks.delete("Delete a webhook with its deliveries", service.delete_endpoint)

sent = Resource(
    sent_blueprint,
    "delivery",
    records=DELIVERIES,
    out=WebhookDeliveryOut,
    filters={"state": PlainText(validate=validate.OneOf(DELIVERY_STATES))},
)
sent.list("List a webhook's deliveries", prepare=lambda webhook_id: ENDPOINTS.get(webhook_id))

deliveries = Resource(
    delivery_blueprint, "webhook_delivery", records=DELIVERY, out=WebhookDeliveryWhole
)
deliveries.retrieve("Retrieve a delivery with its tries")


@blueprint.operation(
    "POST",
    "/<uuid:webhook_id>/rotate-secret",
    permission="webhooks:write",
    body=SecretRotation,
    body_required=False,
    out=WebhookOut,
    if_match=True,
    has_etag=True,
)
def rotate_webhook_secret(
    body: Mapping[str, Any], *, expected_row_version: int | None, webhook_id: UUID
) -> ApiResponse:
    """Give a webhook a new secret; the one before signs as well for a while"""
    row = service.rotate_secret(body, webhook_id, expected_row_version=expected_row_version)
    return ApiResponse(200, WebhookOut().dump(row), row_version=row["row_version"])


@blueprint.operation(
    "POST",
    "/<uuid:webhook_id>/test",
    permission="webhooks:write",
    out=WebhookDeliveryWhole,
    status=202,
    if_match=True,
    errors=(Conflict,),
)
def test_webhook(*, expected_row_version: int | None, webhook_id: UUID) -> ApiResponse:
    """Send a webhook a message that says it is a test"""
    made = service.send_test(webhook_id, expected_row_version=expected_row_version)
    return _on_its_way(made.id)


@delivery_blueprint.operation(
    "POST",
    "/<uuid:webhook_delivery_id>/replay",
    permission="webhooks:write",
    out=WebhookDeliveryWhole,
    status=202,
    errors=(Conflict,),
)
def replay_webhook_delivery(webhook_delivery_id: UUID) -> ApiResponse:
    """Send a delivery again, under the same id"""
    service.replay(webhook_delivery_id)
    return _on_its_way(webhook_delivery_id)


def _on_its_way(delivery_id: UUID) -> ApiResponse:
    answer = deliveries.answer({"webhook_delivery_id": delivery_id}, status=202)
    answer.headers["Location"] = f"/api/webhook-deliveries/{delivery_id}"
    return answer
