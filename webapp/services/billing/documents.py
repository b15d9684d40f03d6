"""The documents of invoices and credit notes: made once by a job, and kept as they are.

Each is a PDF, and its facts as an e-invoice, which the PDF carries too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import Invoice, InvoiceLine, Order
from models.db.base import db
from models.db.queries import CompiledQuery, Row, bound
from models.db.tenancy import current_organization_id
from models.payments import BillingDocument, CreditNote, CreditNoteLine
from webapp.services.billing.einvoice import einvoice
from webapp.services.billing.invoice_document import render_invoice
from webapp.services.billing.parties import FORMER_REASONS
from webapp.services.billing.totals import totals_of
from webapp.services.common.exceptions import NotFound


def render_documents(payloads: Sequence[Mapping[str, Any]]) -> None:
    """Render and keep the documents that the jobs name; one that is there stays as it is."""
    for payload in payloads:
        names = {name: UUID(value) for name, value in payload.items() if name.endswith("_id")}
        [(name, id_)] = names.items()
        if _KEPT[name].one(id=id_):
            continue
        view = invoice_view(id_) if name == "invoice_id" else credit_note_view(id_)
        xml = einvoice(view)
        content = render_invoice(view, xml)
        digest = hashlib.sha256(content).hexdigest()
        db.session.add(
            BillingDocument(**names, sha256=digest, content=content, size=len(content), xml=xml)
        )
        db.session.flush()


def invoice_document(invoice_id: UUID) -> Row:
    """The PDF of an invoice, with its number. Raises NotFound, also while there is none."""
    return _document(_INVOICE, invoice_id, "invoice")


def credit_note_document(credit_note_id: UUID) -> Row:
    """The PDF of a credit note, with its number. Raises NotFound, as above."""
    return _document(_NOTE, credit_note_id, "credit note")


def invoice_xml(invoice_id: UUID) -> Row:
    """The e-invoice of an invoice, with its number. Raises NotFound, also where it has none."""
    return _with_xml(invoice_document(invoice_id))


def credit_note_xml(credit_note_id: UUID) -> Row:
    """The e-invoice of a credit note, with its number. Raises NotFound, as above."""
    return _with_xml(credit_note_document(credit_note_id))


def invoice_view(invoice_id: UUID) -> dict[str, Any]:
    """What the invoice's document shows, amounts as text with two decimals."""
    invoice = db.session.get_one(Invoice, (current_organization_id(), invoice_id))
    lines = _lines(InvoiceLine, InvoiceLine.invoice_id == invoice_id)
    return {
        "kind": "invoice",
        "number": invoice.number,
        "credited_number": None,
        "credited_on": None,
        "order_number": _order_number(invoice),
        "issued_on": _day(invoice.issued_on),
        "due_date": _day(invoice.due_date),
        **_service_days(invoice),
        "currency": invoice.currency,
        "notes": invoice.notes,
        "seller": invoice.seller,
        "buyer": invoice.buyer,
        "lines": [_line(line) | {"description": line.description} for line in lines],
        "tax_groups": _groups(invoice),
        "subtotal": f"{invoice.subtotal:.2f}",
        "tax": f"{invoice.tax:.2f}",
        "total": f"{invoice.total:.2f}",
    }


def credit_note_view(credit_note_id: UUID) -> dict[str, Any]:
    """What the credit note's document shows, as an invoice's does."""
    note = db.session.get_one(CreditNote, (current_organization_id(), credit_note_id))
    invoice = db.session.get_one(Invoice, (current_organization_id(), note.invoice_id))
    lines = _lines(CreditNoteLine, CreditNoteLine.credit_note_id == note.id)
    return {
        "kind": "credit_note",
        "number": note.number,
        "credited_number": invoice.number,
        "credited_on": _day(invoice.issued_on),
        "order_number": _order_number(invoice),
        "issued_on": _day(note.issued_on),
        "due_date": None,
        **_service_days(invoice),
        "currency": note.currency,
        "notes": note.reason,
        "seller": invoice.seller,
        "buyer": invoice.buyer,
        "lines": [_line(line) | {"description": None} for line in lines],
        "tax_groups": _note_groups(note, lines, _groups(invoice)),
        "subtotal": f"{note.subtotal:.2f}",
        "tax": f"{note.tax:.2f}",
        "total": f"{note.amount:.2f}",
    }


def _service_days(invoice: Invoice) -> dict[str, str | None]:
    """When the work was done; on the day of issue unless the invoice says so (2006/112/EC, 226)."""
    days = {name: _day(getattr(invoice, name)) for name in ("service_from", "service_until")}
    return days | {"delivered_on": None if any(days.values()) else _day(invoice.issued_on)}


def _groups(invoice: Invoice) -> list[dict[str, str]]:
    """The invoice's tax by group, each with why there is none."""
    return [
        {"reason": FORMER_REASONS[group["category"]], **group}
        if group["category"] in FORMER_REASONS
        else group
        for group in invoice.tax_groups
    ]


def _note_groups(
    note: CreditNote, lines: Sequence[CreditNoteLine], credited: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """The note's tax by group; what an amount to the cent leaves is in the last one."""
    groups = totals_of([line.__dict__ for line in lines]).groups
    reasons = {group["category"]: group["reason"] for group in credited if "reason" in group}
    told = [group.as_text(reasons) for group in groups]
    rest = note.tax - sum((group.tax for group in groups[:-1]), Decimal(0))
    told[-1]["tax"] = f"{rest:.2f}"
    return told


def _document(query: CompiledQuery, id_: UUID, noun: str) -> Row:
    row = query.one(id=id_)
    if row is None:
        raise NotFound(f"There is no {noun} with this id.")
    if row["content"] is None:
        if row["number"] is None:
            raise NotFound("A draft has no document yet; finalize it first.")
        raise NotFound("The document is being made; try again in a moment.")
    return row


def _with_xml(document: Row) -> Row:
    if document["xml"] is None:
        raise NotFound(
            "There is no e-invoice of this: it names no country of the client, or is older."
        )
    return document


def _order_number(invoice: Invoice) -> str | None:
    row = _ORDER.one(id=invoice.order_id) if invoice.order_id else None
    return row["number"] if row else None


def _lines(model: Any, condition: Any) -> Sequence[Any]:
    return db.session.scalars(
        select(model)
        .where(model.organization_id == current_organization_id(), condition)
        .order_by(model.position, model.id)
    ).all()


def _line(line: Any) -> dict[str, Any]:
    return {
        "name": line.name,
        "quantity": f"{line.quantity:.3f}",
        "unit": line.unit,
        "price": f"{line.price:.2f}",
        "discount": f"{line.discount:.2f}",
        "tax_rate": f"{line.tax_rate:.2f}",
        "tax_category": line.tax_category,
        "total": f"{line.total:.2f}",
    }


def _day(day: Any) -> str | None:
    return None if day is None else day.isoformat()


def _kept(column: Any) -> CompiledQuery:
    return CompiledQuery.of(select(BillingDocument.id).where(column == bound("id", column.type)))


def _with_document(model: Any, column: Any) -> CompiledQuery:
    return CompiledQuery.of(
        select(model.number, BillingDocument.content, BillingDocument.xml)
        .select_from(model)
        .outerjoin(
            BillingDocument,
            (BillingDocument.organization_id == model.organization_id) & (column == model.id),
        )
        .where(model.id == bound("id", model.id.type))
    )


_KEPT = {
    "invoice_id": _kept(BillingDocument.invoice_id),
    "credit_note_id": _kept(BillingDocument.credit_note_id),
}
_ORDER = CompiledQuery.of(select(Order.number).where(Order.id == bound("id", Order.id.type)))
_INVOICE = _with_document(Invoice, BillingDocument.invoice_id)
_NOTE = _with_document(CreditNote, BillingDocument.credit_note_id)
