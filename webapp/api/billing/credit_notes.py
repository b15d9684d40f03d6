"""Credit notes: they are made on an invoice (`POST /api/invoices/{id}/credit`)."""

from __future__ import annotations

from uuid import UUID

from webapp.api.billing.invoices import document_answer
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.http.responses import ApiResponse
from webapp.schemas.common import reference
from webapp.schemas.invoices import CreditNoteOut
from webapp.services.billing.documents import credit_note_document, credit_note_xml
from webapp.services.billing.invoice_queries import CREDIT_NOTES

blueprint = ApiBlueprint(
    "credit_notes", "/api/credit-notes", description="What takes back a final invoice."
)

credit_notes = Resource(
    blueprint,
    "credit_note",
    records=CREDIT_NOTES,
    out=CreditNoteOut,
    filters={"invoice_id": reference(allow_none=False)},
)
credit_notes.list("List credit notes")
credit_notes.retrieve("Retrieve a credit note with its lines")


@blueprint.operation(
    "GET",
    "/<uuid:credit_note_id>/credit-note.pdf",
    permission="billing:read",
    content_type="application/pdf",
)
def get_credit_note_document(credit_note_id: UUID) -> ApiResponse:
    """Download the credit note's PDF"""
    return document_answer(credit_note_document(credit_note_id), "pdf")


@blueprint.operation(
    "GET",
    "/<uuid:credit_note_id>/credit-note.xml",
    permission="billing:read",
    content_type="application/xml",
)
def get_credit_note_xml(credit_note_id: UUID) -> ApiResponse:
    """Download the credit note as an e-invoice (EN 16931, Cross Industry Invoice)"""
    return document_answer(credit_note_xml(credit_note_id), "xml")
