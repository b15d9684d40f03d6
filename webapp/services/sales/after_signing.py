"""What follows a signature, each by a job of its own: the signed PDF, and what mails tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from models.contracts import Contract
from models.db.base import db
from models.db.queries import CompiledQuery, bound
from models.db.tenancy import current_organization_id
from models.identity import Organization
from models.sales import Proposal, ProposalVersion, Signature, SignedDocument, SigningLink
from models.states import PHASE
from webapp.services.common.writes import now
from webapp.services.engagements.owners import address_of_owner
from webapp.services.sales.contract_mails import contract_link_facts
from webapp.services.sales.delivery import is_current
from webapp.services.sales.queries import created_by
from webapp.services.sales.signed_document import render_signed_document


def store_signed_document(signature_id: UUID, verify_url: str) -> None:
    """Render the signed PDF and keep it with its SHA-256; it is never rendered again.

    Raises ContentHashMismatch when the stored content is not what was signed.
    """
    signed = _EVIDENCE.one(id=signature_id)
    assert signed is not None
    if signed["document_id"] is not None:
        return
    evidence: dict[str, Any] = {column.key: signed[column.key] for column in _OF_THE_SIGNER}
    signed_at = signed["signed_at"].isoformat().replace("+00:00", "Z")
    evidence |= {"id": str(signature_id), "signed_at": signed_at, "verify_url": verify_url}
    if signed["selection"] is not None:
        evidence["selection"] = signed["selection"]
    content = json.loads(signed["content"])
    document = render_signed_document(content, evidence, signed["timezone"])
    db.session.add(
        SignedDocument(
            signature_id=signature_id,
            proposal_id=signed["proposal_id"],
            sha256=hashlib.sha256(document).hexdigest(),
            content=document,
            size=len(document),
        )
    )


def link_facts(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the mail with the signing link tells; None when nobody waits for it any more.

    The link was replaced or mailed again since, or the proposal was signed, declined, deleted, or
    has expired.
    """
    link = db.session.get(SigningLink, (current_organization_id(), UUID(payload["link_id"])))
    if link is None or link.revoked_at is not None or not is_current(link, payload):
        return None
    if link.contract_id is not None:
        return contract_link_facts(link)
    proposal = db.session.get_one(Proposal, (link.organization_id, link.proposal_id))
    is_past = proposal.valid_until is not None and proposal.valid_until <= now()
    if proposal.status != "sent" or proposal.deleted_at is not None or is_past:
        return None
    told = _SENT.one(id=proposal.id)
    assert told is not None
    return _facts(told, link.email)


def signature_facts(signature_id: UUID) -> dict[str, Any]:
    """What the mails after a signature tell: the proposal, the signer, and what was created."""
    signed = _TOLD.one(id=signature_id)
    assert signed is not None
    created = created_by(signed["proposal_id"])
    projects = [
        {"name": project["name"], "phase": PHASE.label(project["phase"])}
        for project in created["projects"]
    ]
    return _facts(signed, signed["link_email"]) | {
        "signature": {name: signed[name] for name in ("signer_name", "signed_at", "recorded_by")},
        "engagement": created["engagement"],
        "projects": projects,
        "order": created["order"],
        "owner": owner_address(signed["proposal_id"]),
        "link_id": signed["link_id"],
    }


def decline_facts(proposal_id: UUID) -> dict[str, Any] | None:
    """What the mail about a declined proposal tells; None when it was revised since."""
    proposal = db.session.get(Proposal, (current_organization_id(), proposal_id))
    if proposal is None or proposal.status != "declined":
        return None
    told = _SENT.one(id=proposal_id)
    assert told is not None
    return _facts(told) | {
        "reason": proposal.decline_reason,
        "owner": owner_address(proposal_id),
    }


def owner_address(proposal_id: UUID) -> tuple[str, str] | None:
    """Name and address of the proposal's owner, else of the organization's; None without any."""
    proposal = db.session.get_one(Proposal, (current_organization_id(), proposal_id))
    return address_of_owner(proposal.owner_id)


def _facts(told: Mapping[str, Any], email: str | None = None) -> dict[str, Any]:
    """What all mails tell; `email` is where the link was sent to, if not as the content says."""
    content = json.loads(told["content"])
    return {
        "organization": {"name": told["organization"]},
        "timezone": told["timezone"],
        "proposal": content,
        "contact": content["contact"] | ({"email": email} if email else {}),
    }


# What was signed, and what both the document and the mails tell of the organization.
_SIGNED = (
    select(
        Signature.proposal_id,
        Signature.contract_id,
        Signature.signed_at,
        func.coalesce(ProposalVersion.content, Contract.content).label("content"),
        Organization.name.label("organization"),
        Organization.timezone,
    )
    .select_from(Signature)
    .outerjoin(
        ProposalVersion,
        (ProposalVersion.organization_id == Signature.organization_id)
        & (ProposalVersion.proposal_id == Signature.proposal_id)
        & (ProposalVersion.version == Signature.version),
    )
    .outerjoin(
        Contract,
        (Contract.organization_id == Signature.organization_id)
        & (Contract.id == Signature.contract_id)
        & Signature.proposal_id.is_(None),
    )
    .join(Organization, Organization.id == Signature.organization_id)
    .where(Signature.id == bound("id", Signature.id.type))
)
_OF_THE_SIGNER = (
    Signature.signer_name, Signature.signer_email, Signature.method, Signature.data,
    Signature.consent_text, Signature.consent_version, Signature.locale, Signature.ip,
    Signature.user_agent, Signature.content_sha256, Signature.recorded_by,
)  # fmt: skip
_EVIDENCE = CompiledQuery.of(
    _SIGNED.add_columns(
        *_OF_THE_SIGNER, Signature.selection, SignedDocument.id.label("document_id")
    ).outerjoin(
        SignedDocument,
        (SignedDocument.organization_id == Signature.organization_id)
        & (SignedDocument.signature_id == Signature.id),
    )
)
_TOLD = CompiledQuery.of(
    _SIGNED.add_columns(
        Signature.signer_name,
        Signature.recorded_by,
        SigningLink.id.label("link_id"),
        SigningLink.email.label("link_email"),
    ).outerjoin(
        SigningLink,
        (SigningLink.organization_id == Signature.organization_id)
        & or_(
            (SigningLink.proposal_id == Signature.proposal_id)
            & (SigningLink.version == Signature.version),
            (SigningLink.contract_id == Signature.contract_id) & Signature.proposal_id.is_(None),
        )
        & SigningLink.revoked_at.is_(None),
    )
)
# The present version of a proposal as it was sent.
_SENT = CompiledQuery.of(
    select(
        ProposalVersion.content,
        Organization.name.label("organization"),
        Organization.timezone,
    )
    .select_from(Proposal)
    .join(
        ProposalVersion,
        (ProposalVersion.organization_id == Proposal.organization_id)
        & (ProposalVersion.proposal_id == Proposal.id)
        & (ProposalVersion.version == Proposal.version),
    )
    .join(Organization, Organization.id == Proposal.organization_id)
    .where(Proposal.id == bound("id", Proposal.id.type))
)
