"""Contracts that stand alone: drawn up, signed, cancelled, renewed (rulings.md, *Contracts*)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from models.contracts import Contract
from models.db.tenancy import current_principal
from models.states import CONTRACT
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
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
)
from webapp.schemas.signing import RecordSignatureIn
from webapp.services.common.exceptions import (
    AlreadySigned,
    Conflict,
    ContentChanged,
    InvalidTransition,
)
from webapp.services.sales import contracts as service
from webapp.services.sales.content import signer_by_default
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
    errors=(AlreadySigned, InvalidTransition, ContentChanged),
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
