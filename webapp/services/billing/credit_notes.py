"""Credit notes: what takes back a final invoice, whole or in part (rulings.md, *Invoices*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.billing import Invoice
from models.db.base import uuid7
from models.db.inserts import insert_records
from models.payments import CreditNote, CreditNoteLine
from models.states import INVOICE
from webapp.services.billing.invoices import lines_of
from webapp.services.billing.numbers import next_billing_number
from webapp.services.billing.settlement import release_excess, settle
from webapp.services.billing.totals import line_total, rounded, split, totals_of
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import create, lock, refuse_duplicate, today
from webapp.services.identity.organization import organization
from webapp.services.jobs.enqueue import enqueue

ONE = Decimal(1)


def credit_invoice(
    values: Mapping[str, Any], invoice_id: UUID, *, expected_row_version: int | None = None
) -> CreditNote:
    """Make a credit note: of `lines`, of an `amount` with its tax, or of all that is not credited.

    What was paid above the rest becomes the client's credit. Raises NotFound, StaleVersion,
    Conflict for a draft or void invoice, and Invalid naming the fields.
    """
    invoice = lock(Invoice, invoice_id, expected_row_version=expected_row_version)
    if invoice.status in ("draft", "void"):
        raise Conflict(f"A {INVOICE.label(invoice.status).lower()} invoice cannot be credited.")
    if "lines" in values and "amount" in values:
        raise Invalid({"amount": ["Give either an amount or lines."]})
    left = invoice.total - invoice.credited
    lines, amount = _lines(invoice, values, left)
    subtotal = sum((line["total"] for line in lines), Decimal(0))
    if not 0 < amount <= left:
        where = "lines" if "lines" in values else "amount"
        raise Invalid({where: [f"What is left to credit is {left} {invoice.currency}."]})
    settings = organization()
    issued_on = today()
    taken = "This number is taken; change the pattern of your organization's invoice numbers."
    with refuse_duplicate(
        "uq_credit_notes_organization_id_number", "invoice_number_pattern", taken
    ):
        number = next_billing_number(
            "credit_note", f"CN-{settings['invoice_number_pattern']}"[:64], issued_on.year
        )
        note = create(
            CreditNote(
                id=uuid7(),
                invoice_id=invoice.id,
                number=number,
                subtotal=subtotal,
                tax=amount - subtotal,
                amount=amount,
                currency=invoice.currency,
                reason=values["reason"],
                issued_on=issued_on,
            ),
            engagement_id=invoice.engagement_id,
            metadata={"number": number, "invoice": invoice.number, "amount": str(amount)},
        )
    insert_records(
        [
            CreditNoteLine(id=uuid7(), credit_note_id=note.id, position=n, **line)
            for n, line in enumerate(lines)
        ]
    )
    # Paid and credited together are never more than the total.
    release_excess(invoice, amount - (left - invoice.paid))
    invoice.credited += amount
    settle(invoice)
    enqueue("billing.render_document", note.id, {"credit_note_id": str(note.id)})
    return note


def _lines(
    invoice: Invoice, values: Mapping[str, Any], left: Decimal
) -> tuple[list[dict[str, Any]], Decimal]:
    """The note's lines, and what they come to with their tax."""
    if "lines" in values:
        given = [_complete(n, line) for n, line in enumerate(values["lines"])]
        return given, totals_of(given).total
    if "amount" not in values and not invoice.credited:
        copied = [{name: getattr(line, name) for name in _COPIED} for line in lines_of(invoice)]
        return copied, invoice.total
    amount = values.get("amount", left)
    return _of_amount(invoice, min(amount, left)), amount


_COPIED = ("name", "quantity", "unit", "price", "discount", "tax_rate", "tax_category", "total")


def _complete(n: int, given: Mapping[str, Any]) -> dict[str, Any]:
    line = {"discount": Decimal(0), "tax_category": "zero", "tax_rate": Decimal(0), **given}
    line.pop("description", None)
    line["total"] = line_total(line)
    if line["total"] < 0:
        raise Invalid({f"lines.{n}.discount": ["This is more than the line costs."]})
    return line


def _of_amount(invoice: Invoice, amount: Decimal) -> list[dict[str, Any]]:
    """An amount with its tax as one line for each tax of the invoice, in their proportion.

    What is asked for is credited to the cent: the tax is the rest of it, which may be a cent
    beside the rate, since not every amount is a net one with its tax.
    """
    groups: Sequence[Mapping[str, str]] = [
        group for group in invoice.tax_groups if Decimal(group["net"]) > 0
    ]
    parts = split(amount, [Decimal(group["net"]) + Decimal(group["tax"]) for group in groups])
    lines = []
    for group, gross in zip(groups, parts, strict=True):
        rate = Decimal(group["rate"])
        net = rounded(gross / (ONE + rate / 100))
        if gross > 0:
            lines.append(
                {
                    "name": f"Credit on invoice {invoice.number}",
                    "quantity": ONE,
                    "unit": "flat",
                    "price": net,
                    "discount": Decimal(0),
                    "tax_rate": rate,
                    "tax_category": group["category"],
                    "total": net,
                }
            )
    return lines
