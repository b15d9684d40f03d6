"""What settles invoices: payments, credit kept for later, refunds (rulings.md, *Payments*).

Locks in the order engagement → order → invoices by id → payments by id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from models.billing import Invoice, Order
from models.crm import ClientCompany
from models.db.base import db
from models.db.tenancy import current_organization_id
from models.payments import Payment, PaymentAllocation, Refund
from models.states import INVOICE, ORDER
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import (
    check_values,
    create,
    lock,
    move,
    now,
    refuse_duplicate,
    touch,
)

ZERO = Decimal(0)


def pay_invoice(
    values: Mapping[str, Any], invoice_id: UUID, *, expected_row_version: int | None = None
) -> Payment:
    """Record a payment for one invoice.

    What is more than is open is refused, or kept as the client's credit with `keep_excess`.

    Raises NotFound, StaleVersion, Conflict for a draft or void invoice or a reference that was
    recorded before, and Invalid naming `amount` with the remainder.
    """
    invoice = lock(Invoice, invoice_id, expected_row_version=expected_row_version)
    values = dict(values)
    keep_excess = values.pop("keep_excess", False)
    amount = values["amount"]
    demand_final(invoice)
    if amount > open_of(invoice) and not keep_excess:
        raise Invalid({"amount": [_too_much(invoice)]})
    payment = keep_as_credit(values, invoice)
    if open_of(invoice) > 0:
        _allocate(payment, invoice, min(amount, open_of(invoice)), at=payment.received_at)
    return payment


def keep_as_credit(values: Mapping[str, Any], invoice: Invoice) -> Payment:
    """Record money that came for an invoice which takes none as its client's credit.

    Raises Conflict for a reference that was recorded before.
    """
    return _record(
        {
            **values,
            "currency": invoice.currency,
            "client_company_id": invoice.client_company_id,
            "contact_id": invoice.contact_id,
        }
    )


def record_payment(values: Mapping[str, Any]) -> Payment:
    """Record a transfer, and let it settle the invoices it names; the rest is credit.

    Without `allocations` all of it is the client's credit. All invoices are the same client's, in
    the payment's currency. Raises Invalid naming the fields, and Conflict.
    """
    values = dict(values)
    wanted = values.pop("allocations", [])
    keep_excess = values.pop("keep_excess", False)
    check_values(values, {"client_company_id": ClientCompany})
    invoices = lock_invoices([each["invoice_id"] for each in wanted])
    errors: dict[str, list[str]] = {}
    for n, each in enumerate(wanted):
        where = f"allocations.{n}"
        found = invoices.get(each["invoice_id"])
        if found is None:
            errors[f"{where}.invoice_id"] = ["There is no invoice with this id."]
        elif found.currency != values["currency"]:
            errors[f"{where}.invoice_id"] = [f"This invoice is in {found.currency}."]
        elif each["amount"] > open_of(found):
            errors[f"{where}.amount"] = [_too_much(found)]
    if len(invoices) < len(wanted) and not errors:
        errors["allocations"] = ["Name each invoice once."]
    clients = {found.client_company_id for found in invoices.values()}
    if clients:
        clients.add(values.setdefault("client_company_id", next(iter(clients))))
    if len(clients) > 1:
        errors["allocations"] = ["These invoices are not all the same client's."]
    rest = values["amount"] - sum((each["amount"] for each in wanted), ZERO)
    if rest < 0:
        errors["amount"] = ["This is less than what it is to settle."]
    elif wanted and rest > 0 and not keep_excess and not errors:
        left = f"{rest} {values['currency']} are not allocated"
        errors["amount"] = [f"{left}; set keep_excess to keep them as the client's credit."]
    if errors:
        raise Invalid(errors)
    for found in invoices.values():
        demand_final(found)
    payment = _record(values)
    for each in wanted:
        invoice = invoices[each["invoice_id"]]
        _allocate(payment, invoice, each["amount"], at=payment.received_at)
    return payment


def allocate_credit(
    values: Mapping[str, Any], payment_id: UUID, *, expected_row_version: int | None = None
) -> Payment:
    """Let the credit of a payment settle an invoice, with `amount` or as much as goes.

    Raises NotFound, StaleVersion, Conflict, and Invalid naming the fields.
    """
    invoice = lock_invoices([values["invoice_id"]]).get(values["invoice_id"])
    payment = lock(Payment, payment_id, expected_row_version=expected_row_version)
    if invoice is None:
        raise Invalid({"invoice_id": ["There is no invoice with this id."]})
    demand_final(invoice)
    if invoice.currency != payment.currency:
        raise Invalid({"invoice_id": [f"This invoice is in {invoice.currency}."]})
    if payment.client_company_id not in (None, invoice.client_company_id):
        raise Invalid({"invoice_id": ["This invoice is another client's."]})
    amount = values.get("amount") or min(credit_of(payment), open_of(invoice))
    if amount > open_of(invoice):
        raise Invalid({"amount": [_too_much(invoice)]})
    if amount > credit_of(payment) or amount == 0:
        left = f"{credit_of(payment)} {payment.currency}"
        raise Invalid({"amount": [f"The credit left of this payment is {left}."]})
    _allocate(payment, invoice, amount, at=now())
    return payment


def refund_payment(
    values: Mapping[str, Any], payment_id: UUID, *, expected_row_version: int | None = None
) -> Payment:
    """Record that money went back to the client.

    It is taken from the payment's credit first, then from what it settles, the latest first;
    those invoices are open again. Raises NotFound, StaleVersion, and Invalid naming `amount`.
    """
    invoices = lock_invoices(list(_settled_by(payment_id)))
    payment = lock(Payment, payment_id, expected_row_version=expected_row_version)
    amount, left = values["amount"], payment.amount - payment.refunded
    if amount > left:
        raise Invalid({"amount": [f"What is left of this payment is {left} {payment.currency}."]})
    # Asked again under the locks; what another has settled with it meanwhile is locked late.
    settled = _settled_by(payment_id)
    if not settled.keys() <= invoices.keys():
        raise Conflict("This payment is being allocated right now; try again.")
    _release(payment, settled, invoices, amount - credit_of(payment))
    payment.refunded += amount
    touch(payment)
    db.session.add(Refund(payment_id=payment.id, **values))
    record_activity(
        payment, "refunded", metadata={"amount": str(amount), "reason": values["reason"]}
    )
    return payment


def release_excess(invoice: Invoice, excess: Decimal) -> None:
    """Give so much of what is paid on the invoice back as credit, of the latest payments first.

    The invoice is locked, and settled by the caller afterwards.
    """
    for payment, held in _payments_of(invoice):
        part = min(excess, held)
        if part > 0:
            _move_money(payment, invoice, -part)
            excess -= part


def settle(invoice: Invoice) -> None:
    """Let the invoice's state follow what is paid and credited, and its order's its invoices'."""
    # No query between what changes the sums and this: the database checks that they fit the state.
    if invoice.status in ("open", "uncollectible") and open_of(invoice) == 0:
        move(invoice, INVOICE, "paid")
        invoice.paid_at = now()
    elif invoice.status == "paid" and invoice.total > invoice.paid + invoice.credited:
        move(invoice, INVOICE, "open")
        invoice.paid_at = None
    else:
        touch(invoice)
    settle_order(invoice)


def settle_order(invoice: Invoice) -> None:
    """An order is paid when it is invoiced in full and nothing of that is open."""
    if invoice.order_id is None:
        return
    order = lock(Order, invoice.order_id)
    if order.status in ("cancelled", "refunded"):
        return
    counts = Invoice.status.not_in(("draft", "void"))
    invoiced, paid, left = db.session.execute(
        select(
            func.coalesce(func.sum(Invoice.subtotal), 0),
            func.coalesce(func.sum(Invoice.paid), 0),
            func.coalesce(func.sum(Invoice.total - Invoice.paid - Invoice.credited), 0),
        ).where(
            Invoice.organization_id == order.organization_id, Invoice.order_id == order.id, counts
        )
    ).one()
    if paid > 0:
        target = "paid" if left == 0 and invoiced >= order.total else "partially_paid"
    else:
        target = "unpaid"
    if target != order.status:
        move(order, ORDER, target)


def open_of(invoice: Invoice) -> Decimal:
    """What is left to pay of a final invoice."""
    return invoice.total - invoice.paid - invoice.credited


def credit_of(payment: Payment) -> Decimal:
    """What is left of a payment: the client's credit."""
    return payment.amount - payment.allocated - payment.refunded


def demand_final(invoice: Invoice) -> None:
    """Raises Conflict for a draft or void invoice."""
    if invoice.status in ("draft", "void"):
        label = INVOICE.label(invoice.status).lower()
        raise Conflict(f"A {label} invoice takes no payments or credits.")


def lock_invoices(ids: Sequence[UUID]) -> dict[UUID, Invoice]:
    """The invoices that are there, by id, locked in the order of their ids."""
    found = db.session.scalars(
        select(Invoice)
        .where(Invoice.organization_id == current_organization_id(), Invoice.id.in_(ids))
        .order_by(Invoice.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {invoice.id: invoice for invoice in found}


def _record(values: Mapping[str, Any]) -> Payment:
    if values.get("received_at") and values["received_at"] > now():
        raise Invalid({"received_at": ["This lies in the future."]})
    if values.get("received_at") is None:
        values = {**values, "received_at": now()}
    known = "A payment with this reference was recorded before."
    with refuse_duplicate("uq_payments_reference", "reference", known):
        return create(
            Payment(**values),
            metadata={"amount": str(values["amount"]), "currency": values["currency"]},
        )


def _allocate(payment: Payment, invoice: Invoice, amount: Decimal, *, at: dt.datetime) -> None:
    _move_money(payment, invoice, amount, at=at)
    record_activity(
        payment,
        "allocated",
        engagement_id=invoice.engagement_id,
        metadata={"invoice": invoice.number, "amount": str(amount)},
    )
    settle(invoice)


def _move_money(
    payment: Payment, invoice: Invoice, amount: Decimal, *, at: dt.datetime | None = None
) -> None:
    """Let so much of the payment settle the invoice, or take it back when below zero.

    `at` is when that took effect, for what was open on a day: when the money came, or now.
    """
    db.session.add(
        PaymentAllocation(
            payment_id=payment.id, invoice_id=invoice.id, amount=amount, allocated_at=at or now()
        )
    )
    payment.allocated += amount
    invoice.paid += amount
    touch(payment)


def _release(
    payment: Payment,
    settled: Mapping[UUID, Decimal],
    invoices: Mapping[UUID, Invoice],
    wanted: Decimal,
) -> None:
    """Take so much back from what the payment settles, in the order given."""
    for invoice_id, held in settled.items():
        part = min(wanted, held)
        if part > 0:
            _move_money(payment, invoices[invoice_id], -part)
            settle(invoices[invoice_id])
            wanted -= part


def _settled_by(payment_id: UUID) -> dict[UUID, Decimal]:
    """What of the payment settles which invoices, the latest first."""
    held = func.sum(PaymentAllocation.amount)
    found = db.session.execute(
        select(PaymentAllocation.invoice_id, held)
        .where(
            PaymentAllocation.organization_id == current_organization_id(),
            PaymentAllocation.payment_id == payment_id,
        )
        .group_by(PaymentAllocation.invoice_id)
        .having(held > 0)
        .order_by(func.max(PaymentAllocation.allocated_at).desc(), PaymentAllocation.invoice_id)
    )
    return {row[0]: row[1] for row in found}


def _payments_of(invoice: Invoice) -> list[tuple[Payment, Decimal]]:
    """The payments that settle a part of the invoice and how much, the latest first, locked."""
    sums = db.session.execute(
        select(PaymentAllocation.payment_id, func.sum(PaymentAllocation.amount))
        .where(
            PaymentAllocation.organization_id == invoice.organization_id,
            PaymentAllocation.invoice_id == invoice.id,
        )
        .group_by(PaymentAllocation.payment_id)
    )
    held = {row[0]: row[1] for row in sums}
    payments = db.session.scalars(
        select(Payment)
        .where(Payment.organization_id == invoice.organization_id, Payment.id.in_(held))
        .order_by(Payment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [(payment, held[payment.id]) for payment in reversed(payments.all())]


def _too_much(invoice: Invoice) -> str:
    return f"Only {open_of(invoice)} {invoice.currency} are open."
