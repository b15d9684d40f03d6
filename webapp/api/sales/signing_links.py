"""What the client who holds a signing link may do, without a login (sign-flow.md)."""

from __future__ import annotations

from typing import Any

from flask import request

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.sales.proposals import pdf_answer
from webapp.auth.credentials import signing_link_context
from webapp.extensions import limit_anybody
from webapp.http.responses import ApiResponse
from webapp.http.signing_link import evidence_of_request, opened_by_link
from webapp.http.wait import wait_for_result
from webapp.schemas.sales import DeclineIn
from webapp.schemas.signing import (
    PublicProposalOut,
    PublicSigningAccepted,
    PublicSigningResult,
    SignIn,
)
from webapp.services.common.exceptions import (
    AlreadySigned,
    ContentChanged,
    Expired,
    InvalidTransition,
    LinkReplaced,
)
from webapp.services.sales.queries import created_by, linked_to_caller, signed_document
from webapp.services.sales.sending import decline_by_link, mark_viewed
from webapp.services.sales.signing import sign_by_link

blueprint = ApiBlueprint(
    "public", "/api/public/proposals", description="For the client: read, sign or decline by link."
)

limit_anybody(blueprint)

_PROPOSAL = PublicProposalOut()


def _result(_accepted: dict[str, Any]) -> dict[str, Any]:
    """The proposal as it is now, and what signing created."""
    proposal = linked_to_caller()
    body: dict[str, Any] = PublicSigningResult().dump(created_by(proposal["id"]))
    body["proposal"] = _PROPOSAL.dump(proposal)
    return {name: body[name] for name in ("proposal", "engagement", "projects", "order")}


def _promise(accepted: dict[str, Any]) -> dict[str, Any]:
    """The signature is recorded, and the job says how far it is."""
    return {"proposal": _PROPOSAL.dump(linked_to_caller()), "job": accepted["job"]}


def _wait_by_link(accepted: ApiResponse) -> ApiResponse:
    """`wait_for_result`, and where the client may ask for the result: the job is not theirs.

    The address holds the token, so it is added here: what is kept for retries is stored before.
    """
    if accepted.status == 202:
        token = (request.view_args or {})["token"]
        accepted.headers["Location"] = f"/api/public/proposals/{token}/result"
    return wait_for_result(accepted, _result, _promise)


@blueprint.operation(
    "GET",
    "/<string:token>",
    permission="link:read",
    credential=signing_link_context,
    out=PublicProposalOut,
    errors=(LinkReplaced,),
)
def get_public_proposal(token: str) -> dict[str, Any]:
    """Read the proposal of a signing link"""
    return opened_by_link()


@blueprint.operation(
    "POST",
    "/<string:token>/viewed",
    permission="link:read",
    credential=signing_link_context,
    status=204,
    errors=(LinkReplaced,),
)
def mark_public_proposal_viewed(token: str) -> ApiResponse:
    """Note that a person reads the proposal of a signing link; the first time counts"""
    mark_viewed()
    return ApiResponse(204)


@blueprint.operation(
    "POST",
    "/<string:token>/sign",
    permission="link:sign",
    credential=signing_link_context,
    body=SignIn,
    out=PublicSigningResult,
    answers={202: PublicSigningAccepted},
    waits=True,
    errors=(LinkReplaced, AlreadySigned, InvalidTransition, Expired, ContentChanged),
    after_commit=_wait_by_link,
)
def sign_public_proposal(body: dict[str, Any], token: str) -> ApiResponse:
    """Sign the proposal of a signing link"""
    signed = sign_by_link(
        evidence_of_request(
            body["signer_name"],
            body["signer_email"],
            body["signature"]["method"],
            body["signature"]["data"],
            body["content_sha256"],
            body.get("selection"),
        )
    )
    job = PublicSigningAccepted().dump({"job": signed.job})["job"]
    return ApiResponse(202, {"job": job})


@blueprint.operation(
    "GET",
    "/<string:token>/result",
    permission="link:read",
    credential=signing_link_context,
    out=PublicSigningResult,
    errors=(LinkReplaced,),
)
def get_public_signing_result(token: str) -> dict[str, Any]:
    """Retrieve what signing created; `order` is null until it is there"""
    proposal = linked_to_caller()
    return {"proposal": proposal, **created_by(proposal["id"])}


@blueprint.operation(
    "POST",
    "/<string:token>/decline",
    permission="link:decline",
    credential=signing_link_context,
    body=DeclineIn,
    out=PublicProposalOut,
    errors=(LinkReplaced, InvalidTransition, Expired),
)
def decline_public_proposal(body: dict[str, Any], token: str) -> dict[str, Any]:
    """Decline the proposal of a signing link, with a reason"""
    decline_by_link(body["reason"])
    return linked_to_caller()


@blueprint.operation(
    "GET",
    "/<string:token>/signed.pdf",
    permission="link:read",
    credential=signing_link_context,
    content_type="application/pdf",
    errors=(LinkReplaced,),
)
def get_public_signed_document(token: str) -> ApiResponse:
    """Download the signed PDF of a signing link"""
    return pdf_answer(signed_document(linked_to_caller()["id"]))
