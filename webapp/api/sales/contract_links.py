"""What the client who holds a contract's signing link may do, without a login."""

from __future__ import annotations

from typing import Any

from flask import request

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.sales.proposals import pdf_answer
from webapp.auth.credentials import signing_link_context
from webapp.extensions import limit_anybody
from webapp.http.responses import ApiResponse
from webapp.http.signing_link import contract_opened_by_link, evidence_of_request
from webapp.http.wait import wait_for_result
from webapp.schemas.contracts import (
    PublicContractAccepted,
    PublicContractOut,
    PublicContractSigned,
)
from webapp.schemas.signing import SignIn
from webapp.services.common.exceptions import (
    AlreadySigned,
    ContentChanged,
    Expired,
    Invalid,
    InvalidTransition,
    LinkReplaced,
)
from webapp.services.sales.choices import NOTHING_TO_CHOOSE
from webapp.services.sales.content import CONTRACT_CONSENT
from webapp.services.sales.contract_links import (
    contract_of_caller,
    engagement_under,
    signed_contract_document,
)
from webapp.services.sales.contract_sending import mark_viewed, sign_by_link

blueprint = ApiBlueprint(
    "public_contracts",
    "/api/public/contracts",
    description="For the client: read and sign a contract by link.",
)

limit_anybody(blueprint)

_CONTRACT = PublicContractOut()


def _result(_accepted: dict[str, Any]) -> dict[str, Any]:
    """The contract as it is now, and the engagement it opened."""
    contract = contract_of_caller()
    body: dict[str, Any] = PublicContractSigned().dump(
        {"engagement": engagement_under(contract["id"])}
    )
    return {"contract": _CONTRACT.dump(contract), **body}


def _promise(accepted: dict[str, Any]) -> dict[str, Any]:
    """The signature is recorded, and the job says how far it is."""
    return {"contract": _CONTRACT.dump(contract_of_caller()), "job": accepted["job"]}


def _wait_by_link(accepted: ApiResponse) -> ApiResponse:
    """`wait_for_result`, and where the client may ask for the result: the job is not theirs."""
    if accepted.status == 202:
        token = (request.view_args or {})["token"]
        accepted.headers["Location"] = f"/api/public/contracts/{token}/result"
    return wait_for_result(accepted, _result, _promise, about="contract")


@blueprint.operation(
    "GET",
    "/<string:token>",
    permission="link:read",
    credential=signing_link_context,
    out=PublicContractOut,
    errors=(LinkReplaced,),
)
def get_public_contract(token: str) -> dict[str, Any]:
    """Read the contract of a signing link"""
    return contract_opened_by_link()


@blueprint.operation(
    "POST",
    "/<string:token>/viewed",
    permission="link:read",
    credential=signing_link_context,
    status=204,
    errors=(LinkReplaced,),
)
def mark_public_contract_viewed(token: str) -> ApiResponse:
    """Note that a person reads the contract of a signing link; the first time counts"""
    mark_viewed()
    return ApiResponse(204)


@blueprint.operation(
    "POST",
    "/<string:token>/sign",
    permission="link:sign",
    credential=signing_link_context,
    body=SignIn,
    out=PublicContractSigned,
    answers={202: PublicContractAccepted},
    waits=True,
    errors=(LinkReplaced, AlreadySigned, InvalidTransition, Expired, ContentChanged),
    after_commit=_wait_by_link,
)
def sign_public_contract(body: dict[str, Any], token: str) -> ApiResponse:
    """Sign the contract of a signing link"""
    if body.get("selection"):
        raise Invalid({"selection": [NOTHING_TO_CHOOSE]})
    signed = sign_by_link(
        evidence_of_request(
            body["signer_name"],
            body["signer_email"],
            body["signature"]["method"],
            body["signature"]["data"],
            body["content_sha256"],
            consent_text=CONTRACT_CONSENT,
        )
    )
    job = PublicContractAccepted().dump({"job": signed.job})["job"]
    return ApiResponse(202, {"job": job})


@blueprint.operation(
    "GET",
    "/<string:token>/result",
    permission="link:read",
    credential=signing_link_context,
    out=PublicContractSigned,
    errors=(LinkReplaced,),
)
def get_public_contract_result(token: str) -> dict[str, Any]:
    """Retrieve what signing the contract led to; `engagement` is null until it is there"""
    contract = contract_of_caller()
    return {"contract": contract, "engagement": engagement_under(contract["id"])}


@blueprint.operation(
    "GET",
    "/<string:token>/signed.pdf",
    permission="link:read",
    credential=signing_link_context,
    content_type="application/pdf",
    errors=(LinkReplaced,),
)
def get_public_signed_contract(token: str) -> ApiResponse:
    """Download the signed PDF of a contract's signing link"""
    return pdf_answer(signed_contract_document(contract_of_caller()["id"]))
