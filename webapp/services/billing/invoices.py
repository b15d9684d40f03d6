"""Invoices: drafted, finalized, voided, written off (rulings.md, *Invoices*)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from models.billing import Invoice, InvoiceLine, Order
from models.crm import ClientCompany, Contact
from models.db.base import MAX_MONEY, TenantRecord, db, uuid7
from models.db.inserts import insert_records
from models.engagements import Engagement
from models.projects import TimeEntry
from models.states import INVOICE
from webapp.services.activity.events import record_activity
from webapp.services.billing.einvoice_codes import country_code
from webapp.services.billing.numbers import next_billing_number
from webapp.services.billing.orders import lock_order_of
from webapp.services.billing.parties import buyer_of, seller, untaxed_reasons
from webapp.services.billing.settlement import settle, settle_order
from webapp.services.billing.totals import Totals, line_total, totals_of
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import (
    change,
    check_values,
    create,
    lock,
    move,
    now,
    refuse_duplicate,
    today,
    touch,
)
from webapp.services.engagements.state_rules import refuse_if_over
from webapp.services.identity.organization import organization
from webapp.services.jobs.enqueue import enqueue
from webapp.services.projects.time_entries import hours, unbilled

REFERENCES: dict[str, type[TenantRecord]] = {
    "engagement_id": Engagement,
    "client_company_id": ClientCompany,
    "contact_id": Contact,
    "order_id": Order,
}
FINAL = "This invoice is final. Credit it, or void it while nothing is paid, and make a new one."


def create_invoice(values: Mapping[str, Any]) -> Invoice:
    """Draft an invoice; it is for the engagement's client and in its currency unless said.

    Raises Invalid naming the fields, and Conflict when the engagement is closed or cancelled.
    """
    values = dict(values)
    lines = values.pop("lines", [])
    check_values(values, REFERENCES)
    engagement = lock(Engagement, values["engagement_id"], share=True)
    refuse_if_over(engagement, "takes no new invoices")
    lock_order_of(engagement, values.get("order_id"))
    settings = organization()
    values.setdefault("currency", engagement.currency or settings["currency"])
    values.setdefault("client_company_id", engagement.client_company_id)
    values.setdefault("contact_id", engagement.contact_id)
    _check_days(values)
    lines = _complete(lines, settings["default_tax"])
    invoice = create(Invoice(id=uuid7(), **values, **_sums(totals_of(lines))))
    _write_lines(invoice, lines)
    return invoice


def update_invoice(
    values: Mapping[str, Any], invoice_id: UUID, *, expected_row_version: int | None = None
) -> Invoice:
    """Edit a draft; given `lines` replace all its lines.

    Raises NotFound, StaleVersion, Invalid naming the fields, and Conflict when it is final.
    """
    values = dict(values)
    lines = values.pop("lines", None)
    invoice = lock_draft(invoice_id, expected_row_version)
    check_values(values, REFERENCES)
    if "engagement_id" in values or "order_id" in values:
        engagement = lock(
            Engagement, values.get("engagement_id", invoice.engagement_id), share=True
        )
        lock_order_of(engagement, values.get("order_id", invoice.order_id))
    _check_days({**{name: getattr(invoice, name) for name in _DAYS}, **values})
    if lines is not None:
        lines = _complete(lines, organization()["default_tax"])
        values |= _sums(totals_of(lines))
    change(invoice, values, children=() if lines is None else ("lines",))
    if lines is not None:
        db.session.execute(
            delete(InvoiceLine)
            .where(
                InvoiceLine.organization_id == invoice.organization_id,
                InvoiceLine.invoice_id == invoice.id,
            )
            .execution_options(synchronize_session=False)
        )
        _write_lines(invoice, lines)
    return invoice


def delete_draft(invoice_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Delete a draft for good: it was never a demand. Raises NotFound, StaleVersion, Conflict."""
    invoice = lock_draft(invoice_id, expected_row_version)
    touch(invoice)
    record_activity(invoice, "deleted")
    db.session.delete(invoice)


def finalize_invoice(invoice_id: UUID, *, expected_row_version: int | None = None) -> Invoice:
    """Number a draft and make it final; nothing it says can be changed afterwards.

    It is issued today unless the draft says another day, due after the organization's payment
    days, and names both parties as they are now. Its PDF is rendered by a job.

    Raises NotFound, StaleVersion, Conflict when it is final already, and Invalid naming what the
    invoice, the organization or the client lacks for an invoice by the law.
    """
    invoice = lock_draft(invoice_id, expected_row_version)
    lines = lines_of(invoice)
    settings = organization()
    engagement = lock(Engagement, invoice.engagement_id, share=True)
    invoice.client_company_id = invoice.client_company_id or engagement.client_company_id
    invoice.contact_id = invoice.contact_id or engagement.contact_id
    reasons = untaxed_reasons(invoice, settings)
    buyer, lacking = buyer_of(invoice, lines)
    lacking |= _lacking(settings, lines, reasons)
    if lacking:
        raise Invalid(lacking)
    totals = totals_of([line.__dict__ for line in lines])
    invoice.issued_on = invoice.issued_on or today()
    invoice.due_date = invoice.due_date or (
        invoice.issued_on + dt.timedelta(days=settings["payment_days"])
    )
    _check_days({name: getattr(invoice, name) for name in _DAYS})
    invoice.seller, invoice.buyer = seller(settings), buyer
    invoice.tax_groups = [group.as_text(reasons) for group in totals.groups]
    for name, amount in _sums(totals).items():
        setattr(invoice, name, amount)
    with _own_number():
        # Late, because the series stays locked from here on.
        invoice.number = next_billing_number(
            "invoice", settings["invoice_number_pattern"], invoice.issued_on.year
        )
        move(invoice, INVOICE, "open", metadata={"number": invoice.number})
        if invoice.total == 0:
            settle(invoice)
    enqueue("billing.render_document", invoice.id, {"invoice_id": str(invoice.id)})
    return invoice


def void_invoice(invoice_id: UUID, *, expected_row_version: int | None = None) -> Invoice:
    """Withdraw a draft, or a final invoice of which nothing is paid or credited.

    Raises NotFound, StaleVersion, InvalidTransition, and Conflict when something was paid.
    """
    invoice = lock(Invoice, invoice_id, expected_row_version=expected_row_version)
    if invoice.paid or invoice.credited:
        raise Conflict("Something of this invoice is paid or credited; credit the rest instead.")
    move(invoice, INVOICE, "void")
    invoice.voided_at = now()
    settle_order(invoice)
    return invoice


def write_off_invoice(
    values: Mapping[str, Any], invoice_id: UUID, *, expected_row_version: int | None = None
) -> Invoice:
    """Give up what is open of an invoice, for a reason; a late payment still counts.

    Raises NotFound, StaleVersion, InvalidTransition, Invalid naming `reason`.
    """
    invoice = lock(Invoice, invoice_id, expected_row_version=expected_row_version)
    move(invoice, INVOICE, "uncollectible", reason=values.get("reason"))
    invoice.written_off_at, invoice.write_off_reason = now(), values["reason"]
    return invoice


def send_invoice(invoice_id: UUID, *, expected_row_version: int | None = None) -> Invoice:
    """Mail a final invoice to its contact, with the PDF; again where it was sent before.

    Raises NotFound, StaleVersion, Conflict for a draft or void one, and Invalid naming
    `contact_id` when there is nobody to send it to.
    """
    invoice = lock(Invoice, invoice_id, expected_row_version=expected_row_version)
    if invoice.status in ("draft", "void"):
        raise Conflict(f"A {INVOICE.label(invoice.status).lower()} invoice cannot be sent.")
    if not (invoice.buyer or {}).get("email"):
        raise Invalid({"contact_id": ["The invoice names no contact with an e-mail address."]})
    invoice.sent_at = now()
    touch(invoice)
    record_activity(invoice, "sent", metadata={"number": invoice.number})
    enqueue(
        "billing.mail_invoice",
        f"{invoice.id}:{invoice.row_version}",
        {"invoice_id": str(invoice.id), "mailing": invoice.row_version},
        ordering_key=f"mail:invoice:{invoice.id}",
    )
    return invoice


def add_time(
    values: Mapping[str, Any], invoice_id: UUID, *, expected_row_version: int | None = None
) -> Invoice:
    """Add the engagement's unbilled time to a draft, one line for each project and rate.

    The days of the invoice's service come to span the time's.

    Raises NotFound, StaleVersion, Conflict when it is final or there is no such time, and Invalid
    naming `rate` when an entry has none and none is given.
    """
    invoice = lock_draft(invoice_id, expected_row_version)
    groups: dict[tuple[UUID, Decimal], list[TimeEntry]] = {}
    names: dict[UUID, str] = {}
    for entry, project in unbilled(invoice.engagement_id, values.get("until")):
        rate = entry.rate if entry.rate is not None else values.get("rate")
        if rate is None:
            raise Invalid({"rate": ["Some of the time has no rate of its own; give one."]})
        groups.setdefault((project.id, rate), []).append(entry)
        names[project.id] = project.name
    if not groups:
        raise Conflict("There is no unbilled time in this engagement.")
    lines, default_tax = lines_of(invoice), organization()["default_tax"]
    given = [
        {
            "name": f"{names[project_id][:200]}, {entries[0].day} to {entries[-1].day}",
            "quantity": hours(sum(entry.minutes for entry in entries)),
            "unit": "hour",
            "price": rate,
        }
        for (project_id, rate), entries in groups.items()
    ]
    complete = _complete(given, default_tax)
    totals = totals_of([*(line.__dict__ for line in lines), *complete])
    days = [entry.day for entries in groups.values() for entry in entries]
    service = {
        "service_from": min([*days, invoice.service_from or days[0]]),
        "service_until": max([*days, invoice.service_until or days[0]]),
    }
    change(invoice, {**_sums(totals), **service}, children=("lines",))
    made = [
        InvoiceLine(id=uuid7(), invoice_id=invoice.id, position=len(lines) + n, **line)
        for n, line in enumerate(complete)
    ]
    insert_records(made)
    for line, entries in zip(made, groups.values(), strict=True):
        for entry in entries:
            entry.invoice_line_id = line.id
            touch(entry)
    return invoice


def lock_draft(invoice_id: UUID, expected_row_version: int | None) -> Invoice:
    """The draft, locked. Raises NotFound, StaleVersion, and Conflict when it is final."""
    invoice = lock(Invoice, invoice_id, expected_row_version=expected_row_version)
    if invoice.status != "draft":
        raise Conflict(FINAL)
    return invoice


def lines_of(invoice: Invoice) -> Sequence[InvoiceLine]:
    """The invoice's lines in their order."""
    return db.session.scalars(
        select(InvoiceLine)
        .where(
            InvoiceLine.organization_id == invoice.organization_id,
            InvoiceLine.invoice_id == invoice.id,
        )
        .order_by(InvoiceLine.position, InvoiceLine.id)
    ).all()


def _complete(
    lines: Sequence[Mapping[str, Any]], default_tax: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The lines with their tax and totals. Raises Invalid for a discount above a line's price."""
    complete = []
    for n, given in enumerate(lines):
        line = {"discount": Decimal(0), **given}
        if "tax_category" not in line and "tax_rate" not in line:
            line |= {
                "tax_category": default_tax["category"],
                "tax_rate": Decimal(default_tax["rate"]),
            }
        line["total"] = line_total(line)
        if line["total"] < 0:
            raise Invalid({f"lines.{n}.discount": ["This is more than the line costs."]})
        complete.append(line)
    if totals_of(complete).total > MAX_MONEY:
        raise Invalid({"lines": [f"Together they come to more than {MAX_MONEY}."]})
    return complete


def _write_lines(invoice: Invoice, lines: Sequence[Mapping[str, Any]]) -> None:
    insert_records(
        [
            InvoiceLine(id=uuid7(), invoice_id=invoice.id, position=n, **line)
            for n, line in enumerate(lines)
        ]
    )


def _sums(totals: Totals) -> dict[str, Decimal]:
    return {"subtotal": totals.subtotal, "tax": totals.tax, "total": totals.total}


_DAYS = ("issued_on", "due_date", "service_from", "service_until")


def _check_days(days: Mapping[str, Any]) -> None:
    issued_on = days.get("issued_on")
    if issued_on and issued_on > today():
        raise Invalid({"issued_on": ["An invoice is not issued in the future."]})
    for first, last in (_DAYS[:2], _DAYS[2:]):
        if days.get(first) and days.get(last) and days[last] < days[first]:
            raise Invalid({last: [f"This must not be before {first}."]})


def _lacking(
    settings: Mapping[str, Any], lines: Sequence[InvoiceLine], reasons: Mapping[str, str]
) -> dict[str, list[str]]:
    """What an invoice by the law needs and the organization or the draft lacks."""
    lacking = {}
    if settings["address"] is None:
        lacking["organization.address"] = ["Set your organization's address first."]
    elif country_code(settings["address"]) is None:
        lacking["organization.address.country"] = ["This is no country's code (ISO 3166)."]
    if settings["tax_id"] is None:
        lacking["organization.tax_id"] = ["Set your organization's tax id first."]
    if not lines:
        lacking["lines"] = ["An invoice has at least one line."]
    if "exempt" not in reasons and any(line.tax_category == "exempt" for line in lines):
        lacking["tax_exemption_reason"] = ["Say why the law takes no tax of an exempt line."]
    return lacking


def _own_number() -> Any:
    message = "This number is taken; change the pattern of your organization's invoice numbers."
    return refuse_duplicate("uq_invoices_organization_id_number", "invoice_number_pattern", message)
