"""Fees for late payment: drafted by beat where the organization asks for them, never finalized.

Source: rulings.md, *Invoices*.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select

from models.billing import Invoice, InvoiceLine
from models.db.base import db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from webapp.services.activity.events import record_activity
from webapp.services.billing.plans import add_months
from webapp.services.billing.settlement import open_of
from webapp.services.billing.totals import rounded
from webapp.services.common.writes import create, today
from webapp.services.engagements.state_rules import OVER
from webapp.services.identity.organization import organization

BATCH = 100
DAYS_A_YEAR = 365
# What compensates a delay is no pay for a supply (CJEU, C-222/81).
NOT_TAXED = "Compensation for late payment, which is not subject to VAT."


def draft_late_fees() -> bool:
    """Draft the fees that are due, one invoice for each overdue one; whether there may be more.

    A fixed fee is due once, `after_days` after the due date. Interest is due for each month since
    the due date that is over by then; months that are due together are one draft. None is due on
    a late fee itself, nor in an engagement that is over.
    """
    day, rule = today(), organization()["late_fee"]
    if rule is None:
        return False
    overdue = db.session.scalars(
        select(Invoice)
        .join(
            Engagement,
            (Engagement.organization_id == Invoice.organization_id)
            & (Engagement.id == Invoice.engagement_id),
        )
        .where(
            Invoice.organization_id == current_organization_id(),
            Invoice.status == "open",
            Invoice.late_fee_of.is_(None),
            Invoice.due_date <= day - dt.timedelta(days=rule["after_days"]),
            _is_due(rule, day),
            Engagement.status.not_in(OVER),
        )
        .order_by(Invoice.due_date, Invoice.id)
        .with_for_update(skip_locked=True, of=Invoice)
        .limit(BATCH)
    ).all()
    for invoice in overdue:
        _draft(invoice, rule, day)
    return len(overdue) == BATCH


def _is_due(rule: Mapping[str, Any], day: dt.date) -> ColumnElement[bool]:
    if "amount" in rule:
        return Invoice.late_fees == 0
    return Invoice.due_date + func.make_interval(0, Invoice.late_fees + 1) <= day


def _draft(invoice: Invoice, rule: Mapping[str, Any], day: dt.date) -> None:
    """Draft the fee, and count its periods, so that each is charged once."""
    due = invoice.due_date
    assert due is not None
    if "amount" in rule:
        periods, amount, told = 1, Decimal(rule["amount"]), f"due on {due}"
        first = last = None
    else:
        first = add_months(due, invoice.late_fees)
        periods, last = invoice.late_fees, first
        while (following := add_months(due, periods + 1)) is not None and following <= day:
            periods, last = periods + 1, following
        assert first is not None
        assert last is not None
        share = Decimal(rule["percent"]) / 100 * (last - first).days / DAYS_A_YEAR
        amount = rounded(open_of(invoice) * share)
        told = f"{rule['percent']} % a year of {open_of(invoice)}, {first} to {last}"
    invoice.late_fees = periods
    if amount == 0:
        return
    fee = create(
        Invoice(
            id=uuid7(),
            engagement_id=invoice.engagement_id,
            client_company_id=invoice.client_company_id,
            contact_id=invoice.contact_id,
            currency=invoice.currency,
            late_fee_of=invoice.id,
            service_from=first,
            service_until=last,
            tax_exemption_reason=NOT_TAXED,
            subtotal=amount,
            total=amount,
        ),
        metadata={"late_fee_of": invoice.number},
    )
    insert_records(
        [
            InvoiceLine(
                id=uuid7(),
                invoice_id=fee.id,
                name=f"Late payment of invoice {invoice.number}, {told}"[:255],
                quantity=Decimal(1),
                unit="flat",
                price=amount,
                tax_category="exempt",
                tax_rate=Decimal(0),
                total=amount,
            )
        ]
    )
    record_activity(
        invoice,
        "late_fee_drafted",
        metadata={"amount": f"{amount:.2f}", "invoice_id": str(fee.id)},
    )
