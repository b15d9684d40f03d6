"""Payment links, and what Stripe tells of them (rulings.md, *Online payment*)."""

from __future__ import annotations

from uuid import UUID

import structlog
from flask import current_app, request
from werkzeug.exceptions import BadRequest

from models.db.tenancy import as_system, current_context, current_organization_id
from webapp.api.framework.operations import ApiBlueprint, Upload
from webapp.config import Settings
from webapp.core.checkout import CheckoutRefused, ForgedWebhook, make_page, read_webhook
from webapp.core.transaction import in_transaction
from webapp.extensions import limiter
from webapp.http.responses import ApiResponse
from webapp.schemas.online_payments import PaymentLinkOut, WebhookReceived
from webapp.services.billing import payment_events, payment_links
from webapp.services.common.exceptions import Conflict, Unavailable

log = structlog.get_logger(__name__)

blueprint = ApiBlueprint(
    "payment_links",
    "/api/invoices/<uuid:invoice_id>/payment-link",
    description="Where clients pay invoices online.",
)
webhook_blueprint = ApiBlueprint(
    "payment_webhooks", "/api/webhooks/stripe", description="What the payment provider tells."
)
# Stripe calls from few addresses, for all organizations, and faster after an outage.
limiter.limit("1200/minute")(webhook_blueprint)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _have_made(answer: ApiResponse) -> ApiResponse:
    """Have Stripe make the page, where it is not made yet, and answer with it."""
    session_id = UUID(answer.body["id"])
    session = payment_links.checkout_session(session_id)
    if session["status"] == "creating":
        context = current_context()
        try:
            made = make_page(_settings(), session, current_organization_id())
        except CheckoutRefused:
            in_transaction(context, lambda: payment_links.link_refused(session_id))
            raise
        in_transaction(
            context,
            lambda: payment_links.link_made(
                session_id,
                stripe_session_id=made.stripe_session_id,
                url=made.url,
                expires_at=made.expires_at,
            ),
        )
        session = payment_links.checkout_session(session_id)
    return ApiResponse(answer.status, PaymentLinkOut().dump(session), answer.headers)


@blueprint.operation(
    "POST",
    "",
    permission="billing:write",
    out=PaymentLinkOut,
    errors=(Conflict, CheckoutRefused, Unavailable),
    after_commit=_have_made,
)
def make_payment_link(invoice_id: UUID) -> ApiResponse:
    """Make the link where the client pays what is open, or return the one there is"""
    if _settings().stripe_api_key is None:
        raise payment_links.transfer_instead(invoice_id)
    session_id = payment_links.prepare_link(invoice_id)
    body = PaymentLinkOut().dump(payment_links.checkout_session(session_id))
    return ApiResponse(200, body)


@webhook_blueprint.operation(
    "POST",
    "",
    open_because="Stripe signs what it sends, and nothing else is believed",
    upload=("application/json",),
    out=WebhookReceived,
)
def receive_stripe_event(upload: Upload) -> ApiResponse:
    """Take an event of Stripe's; it is kept before it is acknowledged"""
    try:
        event = read_webhook(_settings(), upload.content, request.headers.get("Stripe-Signature"))
    except ForgedWebhook as error:
        log.warning("webhook_forged")
        raise BadRequest("The signature does not fit.") from error
    if event is None:
        return ApiResponse(200, {"kept": False})
    kept = in_transaction(
        as_system(event.organization_id), lambda: payment_events.keep_event(event)
    )
    return ApiResponse(200, {"kept": kept})
