"""Payments: money received, what it settles, and what went back (rulings.md, *Payments*)."""

from __future__ import annotations

from marshmallow import validate

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import NAME_LENGTH, PlainText, reference
from webapp.schemas.invoices import CreditUse, PaymentIn, PaymentOut, RefundIn
from webapp.services.billing import settlement as service
from webapp.services.billing.invoice_queries import PAYMENTS
from webapp.services.common.exceptions import Conflict

blueprint = ApiBlueprint("payments", "/api/payments", description="Money received from clients.")

payments = Resource(
    blueprint,
    "payment",
    records=PAYMENTS,
    out=PaymentOut,
    filters={
        "client_company_id": reference(allow_none=False),
        "reference": PlainText(validate=validate.Length(1, NAME_LENGTH)),
    },
)
payments.list("List payments")
payments.create(
    "Record a payment, and what it settles", PaymentIn, service.record_payment, errors=(Conflict,)
)
payments.retrieve("Retrieve a payment with what it settles and what went back")
payments.action(
    "allocate",
    "Let a payment's credit settle an invoice",
    service.allocate_credit,
    body=CreditUse,
    body_required=True,
    errors=(Conflict,),
)
payments.action(
    "refund",
    "Record that money went back to the client",
    service.refund_payment,
    body=RefundIn,
    body_required=True,
    errors=(Conflict,),
)
