"""Proposals: drafted, sent, revised, declined, signed (S 7e; sign-flow.md)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, request
from webargs.fields import DelimitedList

from models.db.tenancy import current_principal
from models.sales import Proposal
from models.states import PROPOSAL
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.http.caller import user_agent
from webapp.http.responses import ApiResponse
from webapp.http.wait import wait_for_result
from webapp.schemas.common import NAME_LENGTH, PlainText, StateIn, reference
from webapp.schemas.sales import (
    DeclineIn,
    ProposalChange,
    ProposalCreate,
    ProposalOut,
    ResendIn,
    SentProposalOut,
)
from webapp.schemas.signing import (
    CertificateOut,
    PreviewIn,
    RecordSignatureIn,
    SigningAccepted,
    SigningPreview,
    SigningResult,
)
from webapp.services.common import secrets
from webapp.services.common.exceptions import (
    AlreadySigned,
    ContentChanged,
    Expired,
    InvalidTransition,
)
from webapp.services.sales import drafting, sending
from webapp.services.sales.content import signer_by_default
from webapp.services.sales.evidence import Evidence
from webapp.services.sales.preview import preview_signature
from webapp.services.sales.queries import PROPOSALS, certificate, created_by, signed_document
from webapp.services.sales.signing import sign_proposal

blueprint = ApiBlueprint(
    "proposals", "/api/proposals", description="Offers to clients, and their signatures."
)

proposals = Resource(
    blueprint,
    "proposal",
    records=PROPOSALS,
    out=ProposalOut,
    filters={
        "status": DelimitedList(StateIn(PROPOSAL)),
        "client_company_id": reference(allow_none=False),
        "contact_id": reference(allow_none=False),
        "deal_id": reference(allow_none=False),
        "engagement_id": reference(allow_none=False),
        "owner_id": PlainText(),
    },
)
proposals.list("List proposals")
proposals.create("Create a draft proposal", ProposalCreate, drafting.create_proposal)
proposals.retrieve("Retrieve a proposal")
proposals.update("Edit a draft proposal", ProposalChange, drafting.update_proposal)
proposals.delete("Delete a proposal", drafting.trash_proposal)
proposals.action(
    "revise",
    "Make a new version, back in Draft",
    sending.revise_proposal,
    errors=(InvalidTransition,),
)
proposals.action(
    "decline",
    "Record that the client declined",
    sending.decline_proposal,
    body=DeclineIn,
    body_required=True,
    errors=(InvalidTransition, Expired),
)


def _with_signing_url(answer: ApiResponse) -> ApiResponse:
    """Show the link this once; the kept answer holds its id, from which the token is derived."""
    link_id = UUID(answer.body.pop("link_id"))
    settings = current_app.config["SETTINGS"]
    token = secrets.link_token(settings.secret_key, link_id)
    answer.body["signing_url"] = f"{settings.base_url}/sign/{token}"
    return answer


@blueprint.operation(
    "POST",
    "/<uuid:proposal_id>/send",
    permission="sales:write",
    out=SentProposalOut,
    if_match=True,
    has_etag=True,
    after_commit=_with_signing_url,
)
def send_proposal(proposal_id: UUID, *, expected_row_version: int | None) -> ApiResponse:
    """Send a proposal to its contact for signing"""
    secret_key = current_app.config["SETTINGS"].secret_key
    link = sending.send_proposal(proposal_id, secret_key, expected_row_version=expected_row_version)
    return _sent(proposal_id, link.id)


@blueprint.operation(
    "POST",
    "/<uuid:proposal_id>/resend",
    permission="sales:write",
    body=ResendIn,
    body_required=False,
    out=SentProposalOut,
    if_match=True,
    has_etag=True,
    errors=(Expired,),
    after_commit=_with_signing_url,
)
def resend_proposal(
    body: dict[str, Any], proposal_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Mail the signing link again, or a new one to a corrected address"""
    secret_key = current_app.config["SETTINGS"].secret_key
    link = sending.resend_proposal(
        body, proposal_id, secret_key, expected_row_version=expected_row_version
    )
    return _sent(proposal_id, link.id)


def _sent(proposal_id: UUID, link_id: UUID) -> ApiResponse:
    """The proposal as it is now, and which link was mailed."""
    answer = proposals.answer({"proposal_id": proposal_id})
    answer.body["link_id"] = str(link_id)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.operation(
    "POST",
    "/<uuid:proposal_id>/preview-signature",
    permission="sales:read",
    body=PreviewIn,
    body_required=False,
    out=SigningPreview,
    errors=(AlreadySigned, InvalidTransition, Expired),
)
def preview_proposal_signature(body: dict[str, Any], proposal_id: UUID) -> dict[str, Any]:
    """Show exactly what signing would create, and create nothing"""
    return preview_signature(proposal_id, body.get("selection"))


def signing_result(accepted: dict[str, Any]) -> dict[str, Any]:
    """The body of S 7e: the proposal as it is now, and what signing created."""
    proposal_id = _signed(accepted)
    body: dict[str, Any] = SigningResult().dump(created_by(proposal_id))
    body["proposal"] = proposals.answer({"proposal_id": proposal_id}).body
    return {name: body[name] for name in ("proposal", "engagement", "projects", "order")}


def signing_promise(accepted: dict[str, Any]) -> dict[str, Any]:
    """The signature is recorded, and the job says how far it is."""
    proposal = proposals.answer({"proposal_id": _signed(accepted)}).body
    return {"proposal": proposal, "job": accepted["job"]}


def _signed(accepted: dict[str, Any]) -> UUID:
    """Which proposal; answers kept by processes of before hold it whole."""
    return UUID(accepted.get("proposal_id") or accepted["proposal"]["id"])


@blueprint.operation(
    "POST",
    "/<uuid:proposal_id>/sign",
    permission="sales:sign",
    body=RecordSignatureIn,
    body_required=False,
    out=SigningResult,
    answers={202: SigningAccepted},
    if_match=True,
    waits=True,
    errors=(AlreadySigned, InvalidTransition, Expired, ContentChanged),
    after_commit=lambda answer: wait_for_result(answer, signing_result, signing_promise),
)
def sign(
    body: dict[str, Any], proposal_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Record a client's signature and create what it promises"""
    evidence = Evidence(
        signer_name=body.get("signer_name") or signer_by_default(Proposal, proposal_id),
        signer_email=body.get("signer_email"),
        method="recorded",
        content_sha256=body.get("content_sha256"),
        ip=request.remote_addr,
        user_agent=user_agent(),
        recorded_by=current_principal().label[:NAME_LENGTH],
        selection=body.get("selection"),
    )
    signed = sign_proposal(proposal_id, evidence, expected_row_version=expected_row_version)
    job = SigningAccepted().dump({"job": signed.job})["job"]
    body = {"proposal_id": str(proposal_id), "job": job}
    return ApiResponse(202, body, {"Location": f"/api/jobs/{job['id']}"})


@blueprint.operation(
    "GET", "/<uuid:proposal_id>/signed.pdf", permission="sales:read", content_type="application/pdf"
)
def get_signed_document(proposal_id: UUID) -> ApiResponse:
    """Download the signed PDF"""
    return pdf_answer(signed_document(proposal_id))


@blueprint.operation(
    "GET", "/<uuid:proposal_id>/certificate", permission="sales:read", out=CertificateOut
)
def get_certificate(proposal_id: UUID) -> dict[str, Any]:
    """Retrieve the evidence of the signature"""
    return certificate(proposal_id)


def pdf_answer(document: dict[str, Any]) -> ApiResponse:
    """A signed PDF as a download named after the proposal."""
    headers = {
        "Content-Disposition": f'attachment; filename="{document["number"]}-signed.pdf"',
        "Cache-Control": "private, no-store",
    }
    return ApiResponse(200, bytes(document["content"]), headers, content_type="application/pdf")
