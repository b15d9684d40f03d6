"""Stripe's hosted Checkout: its pages, made and closed by the official library, and its webhooks.

Nothing here is in a transaction. Keys, and what Stripe says of them, are never logged.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson
import structlog

from webapp.config import Settings
from webapp.core.outages import Outage
from webapp.services.billing.minor_units import to_minor
from webapp.services.billing.payment_events import KNOWN_TYPES, REFUNDED, ReceivedEvent
from webapp.services.common.exceptions import Conflict, Unavailable

if TYPE_CHECKING:
    import stripe

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Somebody waits for the answer: connecting, and reading, in seconds.
TIMEOUT = (3.0, 10.0)
RETRIES = 1
# How old a webhook's signature may be; Stripe signs each repetition anew.
TOLERANCE_SECONDS = 300


class ForgedWebhook(Exception):
    """The signature does not fit, or is too old."""


class CheckoutRefused(Conflict):
    """Stripe does not take this payment."""


@dataclass(frozen=True, slots=True)
class MadePage:
    """A page that Stripe has made."""

    stripe_session_id: str
    url: str
    expires_at: dt.datetime


def make_page(settings: Settings, session: Mapping[str, Any], organization_id: UUID) -> MadePage:
    """Have Stripe make the page of a session; the same session is always the same page.

    Raises CheckoutRefused when Stripe will not, and Unavailable when it cannot be reached.
    """
    named = {
        "organization_id": str(organization_id),
        "invoice_id": str(session["invoice_id"]),
        "checkout_session_id": str(session["id"]),
    }
    wanted: dict[str, Any] = {
        "mode": "payment",
        "client_reference_id": str(session["id"]),
        "metadata": named,
        # Refunds tell of the charge, which has the metadata of its intent.
        "payment_intent_data": {"metadata": named},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": session["currency"].lower(),
                    "unit_amount": to_minor(session["amount"], session["currency"]),
                    "product_data": {"name": f"Invoice {session['number']}"},
                },
            }
        ],
        "success_url": f"{settings.base_url}/paid",
    }
    if session["email"]:
        wanted["customer_email"] = session["email"]
    options = {"idempotency_key": str(session["id"])}
    sessions = _client(settings).v1.checkout.sessions
    made = _asked(lambda: sessions.create(wanted, options))  # type: ignore[arg-type]
    if not made.url:
        raise Unavailable("Stripe has made no page; try again.")
    return MadePage(made.id, made.url, dt.datetime.fromtimestamp(made.expires_at, dt.UTC))


def expire_page(settings: Settings, stripe_session_id: str) -> None:
    """Close a page; one that was paid or has ended stays as it is. Raises Outage."""
    try:
        _asked(lambda: _client(settings).v1.checkout.sessions.expire(stripe_session_id))
    except CheckoutRefused:
        log.info("checkout_page_had_ended")
    except Unavailable as error:
        raise Outage(error.detail) from error


def read_webhook(settings: Settings, payload: bytes, signature: str | None) -> ReceivedEvent | None:
    """The event of a webhook that Stripe has signed; None for one that is not about our pages.

    Raises ForgedWebhook.
    """
    import stripe

    secret = settings.stripe_webhook_secret
    if secret is None:
        raise ForgedWebhook
    try:
        stripe.WebhookSignature.verify_header(payload, signature, secret, TOLERANCE_SECONDS)
        event = orjson.loads(payload)
    except (stripe.SignatureVerificationError, ValueError, TypeError) as error:
        raise ForgedWebhook from error
    try:
        return _read(event)
    except (KeyError, TypeError, ValueError):
        log.info("webhook_without_our_metadata")
        return None


def _read(event: Any) -> ReceivedEvent | None:
    """What of the event counts. Raises KeyError, TypeError, ValueError for what is not ours."""
    if event["type"] not in KNOWN_TYPES:
        return None
    about, event_id = event["data"]["object"], event["id"]
    named = about["metadata"]
    facts: dict[str, Any] = {"occurred": event.get("created")}
    for name in ("payment_intent", "currency", "payment_status"):
        facts[name] = about.get(name)
    if event["type"] == REFUNDED:
        facts["amount"] = about["amount_refunded"]
    else:
        facts["amount"], facts["session"] = about["amount_total"], about["id"]
        if not isinstance(facts["session"], str):
            raise TypeError
    if not isinstance(facts["amount"], int) or not isinstance(event_id, str):
        raise TypeError
    if not 0 < len(event_id.strip()) <= 255 or not 0 <= facts["amount"] < 10**15:
        raise ValueError
    return ReceivedEvent(
        event_id=event_id,
        type=event["type"],
        organization_id=UUID(named["organization_id"]),
        invoice_id=UUID(named["invoice_id"]),
        session_id=UUID(named["checkout_session_id"]),
        facts=facts,
    )


def _asked(ask: Callable[[], T]) -> T:
    """What Stripe answers. Raises CheckoutRefused and Unavailable."""
    import stripe

    try:
        return ask()
    except stripe.IdempotencyError as error:
        raise Unavailable("The same payment link is being made right now; try again.") from error
    except stripe.InvalidRequestError as error:
        # Its message names the field; a key stands in messages of authentication alone.
        log.warning("checkout_refused", error=type(error).__name__, status=error.http_status)
        said = error.user_message or error.code or "the request is not valid"
        raise CheckoutRefused(f"Stripe does not take this payment: {said}") from error
    except stripe.StripeError as error:
        log.warning("checkout_unavailable", error=type(error).__name__, status=error.http_status)
        raise Unavailable("Online payment cannot be reached right now; try again.") from None


def _client(settings: Settings) -> stripe.StripeClient:
    assert settings.stripe_api_key is not None
    return _made_client(settings.stripe_api_key, settings.stripe_api_url)


@functools.lru_cache(maxsize=4)
def _made_client(api_key: str, api_url: str) -> stripe.StripeClient:
    import stripe  # takes long to load, and few need it

    return stripe.StripeClient(
        api_key,
        base_addresses={"api": api_url},
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
        max_network_retries=RETRIES,
    )
