"""Invoices: drafted, finalized, sent, paid, credited (rulings.md, *Invoices*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields, validate
from webargs.fields import DelimitedList

from models.states import INVOICE
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.http.responses import ApiResponse
from webapp.schemas.common import Day, PlainText, StateIn, reference
from webapp.schemas.invoices import (
    CreditIn,
    CreditNoteOut,
    InvoiceChange,
    InvoiceCreate,
    InvoiceOut,
    PaymentOfInvoice,
    PaymentOut,
    TimeToBill,
    WriteOff,
)
from webapp.services.billing import credit_notes, settlement
from webapp.services.billing import invoices as service
from webapp.services.billing.documents import invoice_document, invoice_xml
from webapp.services.billing.invoice_queries import CREDIT_NOTES, INVOICES, PAYMENTS
from webapp.services.billing.payment_code import payment_code_of
from webapp.services.common.exceptions import Conflict, InvalidTransition

blueprint = ApiBlueprint(
    "invoices", "/api/invoices", description="What clients are asked to pay, and what they paid."
)

invoices = Resource(
    blueprint,
    "invoice",
    records=INVOICES,
    out=InvoiceOut,
    filters={
        "status": DelimitedList(StateIn(INVOICE)),
        "engagement_id": reference(allow_none=False),
        "client_company_id": reference(allow_none=False),
        "order_id": reference(allow_none=False),
        "number": PlainText(validate=validate.Length(1, 32)),
        "overdue": fields.Boolean(),
        "issued_from": Day(),
        "issued_until": Day(),
        "due_from": Day(),
        "due_until": Day(),
    },
)
invoices.list("List invoices")
invoices.create("Draft an invoice", InvoiceCreate, service.create_invoice, errors=(Conflict,))
invoices.retrieve("Retrieve an invoice with its lines, payments and credit notes")
invoices.update("Update a draft", InvoiceChange, service.update_invoice, errors=(Conflict,))
invoices.delete("Delete a draft", service.delete_draft, errors=(Conflict,))
invoices.action(
    "finalize",
    "Number a draft and make it final",
    service.finalize_invoice,
    errors=(Conflict,),
)
invoices.action(
    "add-time",
    "Add the engagement's unbilled time to a draft",
    service.add_time,
    body=TimeToBill,
    errors=(Conflict,),
)
invoices.action("send", "Mail the invoice to the client", service.send_invoice, errors=(Conflict,))
invoices.action(
    "void",
    "Withdraw an invoice of which nothing is paid",
    service.void_invoice,
    errors=(InvalidTransition, Conflict),
)
invoices.action(
    "write-off",
    "Give up what is open of an invoice",
    service.write_off_invoice,
    body=WriteOff,
    body_required=True,
    errors=(InvalidTransition,),
)


@blueprint.operation(
    "POST",
    "/<uuid:invoice_id>/payments",
    permission="billing:write",
    body=PaymentOfInvoice,
    out=PaymentOut,
    status=201,
    if_match=True,
    has_etag=True,
    errors=(Conflict,),
)
def pay_invoice(
    body: Mapping[str, Any], *, expected_row_version: int | None, invoice_id: UUID
) -> ApiResponse:
    """Record a payment of the invoice"""
    made = settlement.pay_invoice(body, invoice_id, expected_row_version=expected_row_version)
    row = PAYMENTS.get(made.id)
    headers = {"Location": f"/api/payments/{made.id}"}
    return ApiResponse(201, PaymentOut().dump(row), headers, row["row_version"])


@blueprint.operation(
    "POST",
    "/<uuid:invoice_id>/credit",
    permission="billing:write",
    body=CreditIn,
    out=CreditNoteOut,
    status=201,
    if_match=True,
    errors=(Conflict,),
)
def credit_invoice(
    body: Mapping[str, Any], *, expected_row_version: int | None, invoice_id: UUID
) -> ApiResponse:
    """Make a credit note on the invoice"""
    made = credit_notes.credit_invoice(body, invoice_id, expected_row_version=expected_row_version)
    headers = {"Location": f"/api/credit-notes/{made.id}"}
    return ApiResponse(201, CreditNoteOut().dump(CREDIT_NOTES.get(made.id)), headers)


@blueprint.operation(
    "GET",
    "/<uuid:invoice_id>/invoice.pdf",
    permission="billing:read",
    content_type="application/pdf",
)
def get_invoice_document(invoice_id: UUID) -> ApiResponse:
    """Download the invoice's PDF"""
    return document_answer(invoice_document(invoice_id), "pdf")


@blueprint.operation(
    "GET",
    "/<uuid:invoice_id>/invoice.xml",
    permission="billing:read",
    content_type="application/xml",
)
def get_einvoice(invoice_id: UUID) -> ApiResponse:
    """Download the invoice as an e-invoice (EN 16931, Cross Industry Invoice)"""
    return document_answer(invoice_xml(invoice_id), "xml")


@blueprint.operation(
    "GET",
    "/<uuid:invoice_id>/payment-code.svg",
    permission="billing:read",
    content_type="image/svg+xml",
)
def get_payment_code(invoice_id: UUID) -> ApiResponse:
    """Download the QR code of a SEPA transfer of what is open"""
    svg = payment_code_of(invoice_id).encode()
    headers = {"Cache-Control": "private, no-store"}
    return ApiResponse(200, svg, headers, content_type="image/svg+xml")


def document_answer(document: Mapping[str, Any], form: str) -> ApiResponse:
    """A document in one of its forms, `pdf` or `xml`, as a download named after its number."""
    name = document["number"].replace("/", "-")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
        "Cache-Control": "private, no-store",
    }
    content = bytes(document["content" if form == "pdf" else form])
    return ApiResponse(200, content, headers, content_type=f"application/{form}")
