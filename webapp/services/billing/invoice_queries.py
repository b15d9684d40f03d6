"""How invoices, payments and credit notes are read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Date, Text, case, cast, func, or_, select

from models.billing import Invoice, InvoiceLine
from models.identity import Organization
from models.payments import CreditNote, CreditNoteLine, Payment, PaymentAllocation, Refund
from webapp.services.common.reads import (
    Filter,
    RecordQuery,
    aggregate,
    among,
    days_last,
    equals,
    from_on,
    up_to,
)
from webapp.services.crm.briefs import client_briefs

# The day it is where the organization is.
_TODAY = (
    select(cast(func.timezone(Organization.timezone, func.now()), Date))
    .where(Organization.id == Invoice.organization_id)
    .correlate(Invoice)
    .scalar_subquery()
)
_OPEN = or_(Invoice.status == "open", Invoice.status == "uncollectible")
IS_OVERDUE = (Invoice.status == "open") & (Invoice.due_date < _TODAY)


def _lines(model: Any, parent: Any, key: Any, **more: Any) -> Any:
    return aggregate(
        select(model)
        .where(model.organization_id == parent.organization_id, key == parent.id)
        .correlate(parent),
        (model.position, model.id),
        id=model.id,
        name=model.name,
        # As text: a JSON number would be read as a float.
        quantity=cast(model.quantity, Text),
        unit=model.unit,
        price=cast(model.price, Text),
        discount=cast(model.discount, Text),
        tax_rate=cast(model.tax_rate, Text),
        tax_category=model.tax_category,
        total=cast(model.total, Text),
        **more,
    )


INVOICES = RecordQuery(
    Invoice,
    domain="billing",
    noun="invoice",
    extra={
        **client_briefs(Invoice),
        "open": case((_OPEN, Invoice.total - Invoice.paid - Invoice.credited), else_=0),
        "is_overdue": func.coalesce(IS_OVERDUE, False),
        "is_partially_paid": _OPEN & or_(Invoice.paid > 0, Invoice.credited > 0),
    },
    children={
        "lines": _lines(
            InvoiceLine, Invoice, InvoiceLine.invoice_id, description=InvoiceLine.description
        ),
        "payments": aggregate(
            select(PaymentAllocation)
            .join(
                Payment,
                (Payment.organization_id == PaymentAllocation.organization_id)
                & (Payment.id == PaymentAllocation.payment_id),
            )
            .where(
                PaymentAllocation.organization_id == Invoice.organization_id,
                PaymentAllocation.invoice_id == Invoice.id,
            )
            .correlate(Invoice),
            PaymentAllocation.id,
            payment_id=PaymentAllocation.payment_id,
            amount=cast(PaymentAllocation.amount, Text),
            reference=Payment.reference,
            allocated_at=PaymentAllocation.allocated_at,
        ),
        "credit_notes": aggregate(
            select(CreditNote)
            .where(
                CreditNote.organization_id == Invoice.organization_id,
                CreditNote.invoice_id == Invoice.id,
            )
            .correlate(Invoice),
            CreditNote.id,
            id=CreditNote.id,
            number=CreditNote.number,
            amount=cast(CreditNote.amount, Text),
        ),
    },
    filters={
        "status": among(Invoice.status),
        "engagement_id": equals(Invoice.engagement_id),
        "client_company_id": equals(Invoice.client_company_id),
        "order_id": equals(Invoice.order_id),
        "number": equals(Invoice.number),
        "overdue": Filter(lambda value: func.coalesce(IS_OVERDUE, False) == value, Boolean()),
        "issued_from": from_on(Invoice.issued_on),
        "issued_until": up_to(Invoice.issued_on),
        "due_from": from_on(Invoice.due_date),
        "due_until": up_to(Invoice.due_date),
    },
    sorts={"due_date": days_last(Invoice.due_date)},
    deferred=("seller", "buyer", "overdue_told_on"),
)

PAYMENTS = RecordQuery(
    Payment,
    domain="billing",
    noun="payment",
    extra={"credit": Payment.amount - Payment.allocated - Payment.refunded},
    children={
        "allocations": aggregate(
            select(PaymentAllocation)
            .join(
                Invoice,
                (Invoice.organization_id == PaymentAllocation.organization_id)
                & (Invoice.id == PaymentAllocation.invoice_id),
            )
            .where(
                PaymentAllocation.organization_id == Payment.organization_id,
                PaymentAllocation.payment_id == Payment.id,
            )
            .correlate(Payment),
            PaymentAllocation.id,
            invoice_id=PaymentAllocation.invoice_id,
            number=Invoice.number,
            amount=cast(PaymentAllocation.amount, Text),
            allocated_at=PaymentAllocation.allocated_at,
        ),
        "refunds": aggregate(
            select(Refund)
            .where(
                Refund.organization_id == Payment.organization_id, Refund.payment_id == Payment.id
            )
            .correlate(Payment),
            Refund.id,
            amount=cast(Refund.amount, Text),
            reason=Refund.reason,
            reference=Refund.reference,
            refunded_at=Refund.refunded_at,
        ),
    },
    filters={
        "client_company_id": equals(Payment.client_company_id),
        "reference": equals(Payment.reference),
    },
)

CREDIT_NOTES = RecordQuery(
    CreditNote,
    domain="billing",
    noun="credit note",
    children={"lines": _lines(CreditNoteLine, CreditNote, CreditNoteLine.credit_note_id)},
    filters={"invoice_id": equals(CreditNote.invoice_id)},
)
