"""Online payment on the wire."""

from __future__ import annotations

from marshmallow import fields

from webapp.schemas.common import Currency, Moment, Money, Output


class PaymentLinkOut(Output):
    """Where the client pays the invoice's open amount, and until when."""

    id = fields.UUID()
    invoice_id = fields.UUID()
    url = fields.String(
        allow_none=True, metadata={"examples": ["https://checkout.stripe.com/c/pay/cs_live_a1B2c3"]}
    )
    amount = Money()
    currency = Currency()
    expires_at = Moment(allow_none=True)


class WebhookReceived(Output):
    """Whether the event is kept; false for one that is known or is none of ours."""

    kept = fields.Boolean()
