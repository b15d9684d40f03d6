"""Contracts that stand alone: drawn up, sent, signed, renewed (rulings.md, *Contracts*)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, request
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from models.contracts import Contract
from models.db.tenancy import current_principal
from models.states import CONTRACT
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.api.sales.proposals import pdf_answer
from webapp.http.caller import user_agent
from webapp.http.responses import ApiResponse
from webapp.http.wait import wait_for_result
from webapp.schemas.common import NAME_LENGTH, Day, StateIn, reference
from webapp.schemas.contracts import (
    CancelIn,
    ContractChange,
    ContractCreate,
    ContractOut,
    ContractSigned,
    ContractSigningAccepted,
    SendContractIn,
    SentContractOut,
)
from webapp.schemas.sales import ResendIn
from webapp.schemas.signing import RecordSignatureIn
from webapp.services.common import secrets
from webapp.services.common.exceptions import (
    AlreadySigned,
    Conflict,
    ContentChanged,
    Expired,
    InvalidTransition,
)
from webapp.services.sales import contract_sending
from webapp.services.sales import contracts as service
from webapp.services.sales.content import signer_by_default
from webapp.services.sales.contract_links import signed_contract_document
from webapp.services.sales.contract_queries import CONTRACTS
from webapp.services.sales.contract_signing import sign_contract as record_signature
from webapp.services.sales.evidence import Evidence

blueprint = ApiBlueprint(
    "contracts", "/api/contracts", description="Agreements with clients, and their terms."
)

contracts = Resource(
    blueprint,
    "contract",
    records=CONTRACTS,
    out=ContractOut,
    filters={
        "status": DelimitedList(StateIn(CONTRACT)),
        "engagement_id": reference(allow_none=False),
        "client_company_id": reference(allow_none=False),
        "contact_id": reference(allow_none=False),
        "deal_id": reference(allow_none=False),
        "proposal_id": reference(allow_none=False),
        "ends_from": Day(),
        "ends_until": Day(),
        "ending_soon": fields.Boolean(
            truthy={"true"},
            falsy={"false"},
            validate=validate.Equal(True, error="Send true, or leave it out."),
        ),
    },
)
contracts.list("List contracts")
contracts.create("Draw up a contract", ContractCreate, service.create_contract)
contracts.retrieve("Retrieve a contract with the engagements that work under it")
contracts.update(
    "Change a draft contract", ContractChange, service.update_contract, errors=(Conflict,)
)
contracts.delete("Delete a contract nobody signed", service.trash_contract, errors=(Conflict,))
contracts.action(
    "cancel",
    "Give a contract up that nobody signed",
    service.cancel_contract,
    body=CancelIn,
    errors=(InvalidTransition,),
)


contracts.action(
    "revise",
    "Make an expired contract a draft again",
    contract_sending.revise_contract,
    errors=(InvalidTransition,),
)


def _with_signing_url(answer: ApiResponse) -> ApiResponse:
    """Show the link this once; the kept answer holds its id, from which the token is derived."""
    link_id = UUID(answer.body.pop("link_id"))
    settings = current_app.config["SETTINGS"]
    token = secrets.link_token(settings.secret_key, link_id)
    answer.body["signing_url"] = f"{settings.base_url}/contract/{token}"
    return answer


@blueprint.operation(
    "POST",
    "/<uuid:contract_id>/send",
    permission="sales:write",
    body=SendContractIn,
    body_required=False,
    out=SentContractOut,
    if_match=True,
    has_etag=True,
    errors=(Conflict,),
    after_commit=_with_signing_url,
)
def send_contract(
    body: dict[str, Any], contract_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Send a contract to its contact for signing"""
    secret_key = current_app.config["SETTINGS"].secret_key
    link = contract_sending.send_contract(
        body, contract_id, secret_key, expected_row_version=expected_row_version
    )
    return _sent(contract_id, link.id)


@blueprint.operation(
    "POST",
    "/<uuid:contract_id>/resend",
    permission="sales:write",
    body=ResendIn,
    body_required=False,
    out=SentContractOut,
    if_match=True,
    has_etag=True,
    errors=(Conflict, Expired),
    after_commit=_with_signing_url,
)
def resend_contract(
    body: dict[str, Any], contract_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Mail the contract's signing link again, or a new one to a corrected address"""
    secret_key = current_app.config["SETTINGS"].secret_key
    link = contract_sending.resend_contract(
        body, contract_id, secret_key, expected_row_version=expected_row_version
    )
    return _sent(contract_id, link.id)


def _sent(contract_id: UUID, link_id: UUID) -> ApiResponse:
    answer = contracts.answer({"contract_id": contract_id})
    answer.body["link_id"] = str(link_id)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.operation(
    "GET", "/<uuid:contract_id>/signed.pdf", permission="sales:read", content_type="application/pdf"
)
def get_signed_contract(contract_id: UUID) -> ApiResponse:
    """Download the signed PDF"""
    return pdf_answer(signed_contract_document(contract_id))


@blueprint.operation(
    "POST",
    "/<uuid:contract_id>/renew",
    permission="sales:write",
    out=ContractOut,
    status=201,
    if_match=True,
    has_etag=True,
    errors=(Conflict,),
)
def renew_contract(contract_id: UUID, *, expected_row_version: int | None) -> ApiResponse:
    """Draw up the contract of the next term, as a draft"""
    following = service.renew_contract(contract_id, expected_row_version=expected_row_version)
    answer = contracts.answer({"contract_id": following.id}, status=201)
    answer.headers["Location"] = f"/api/contracts/{following.id}"
    return answer


def _result(accepted: dict[str, Any]) -> dict[str, Any]:
    """The contract as it is now, and the engagement its signature opened or goes on under."""
    contract = _contract(accepted)
    engagements = contract.get("engagements") or [None]
    return {"contract": contract, "engagement": engagements[0]}


def _promise(accepted: dict[str, Any]) -> dict[str, Any]:
    return {"contract": _contract(accepted), "job": accepted["job"]}


def _contract(accepted: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = contracts.answer({"contract_id": UUID(accepted["contract_id"])}).body
    return body


@blueprint.operation(
    "POST",
    "/<uuid:contract_id>/sign",
    permission="sales:sign",
    body=RecordSignatureIn,
    body_required=False,
    out=ContractSigned,
    answers={202: ContractSigningAccepted},
    if_match=True,
    waits=True,
    errors=(AlreadySigned, InvalidTransition, Expired, ContentChanged),
    after_commit=lambda answer: wait_for_result(answer, _result, _promise, about="contract"),
)
def sign_contract(
    body: dict[str, Any], contract_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Record a client's signature under a contract, and open its engagement"""
    evidence = Evidence(
        signer_name=body.get("signer_name") or signer_by_default(Contract, contract_id),
        signer_email=body.get("signer_email"),
        method="recorded",
        content_sha256=body.get("content_sha256"),
        ip=request.remote_addr,
        user_agent=user_agent(),
        recorded_by=current_principal().label[:NAME_LENGTH],
    )
    signed = record_signature(contract_id, evidence, expected_row_version=expected_row_version)
    job = ContractSigningAccepted().dump({"job": signed.job})["job"]
    kept = {"contract_id": str(contract_id), "job": job}
    return ApiResponse(202, kept, {"Location": f"/api/jobs/{job['id']}"})
