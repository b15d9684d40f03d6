"""What follows a signature, each by a job of its own: the signed PDF, and what mails tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, or_, select

from models.db.base import db
from models.db.tenancy import current_organization_id
from models.identity import Membership, Organization, User
from models.sales import Proposal, ProposalVersion, Signature, SignedDocument, SigningLink
from models.states import PHASE
from webapp.services.common.writes import now
from webapp.services.sales.delivery import is_current
from webapp.services.sales.queries import created_by
from webapp.services.sales.signed_document import render_signed_document


def store_signed_document(signature_id: UUID, verify_url: str) -> None:
    """Render the signed PDF and keep it with its SHA-256; it is never rendered again.

    Raises ContentHashMismatch when the stored content is not what was signed.
    """
    signature = _signature(signature_id)
    already = db.session.scalar(
        select(SignedDocument.id).where(
            SignedDocument.organization_id == signature.organization_id,
            SignedDocument.signature_id == signature.id,
        )
    )
    if already is not None:
        return
    names = (
        "signer_name", "signer_email", "method", "data", "consent_text", "consent_version",
        "locale", "ip", "user_agent", "content_sha256", "recorded_by",
    )  # fmt: skip
    evidence: dict[str, Any] = {name: getattr(signature, name) for name in names}
    signed_at = signature.signed_at.isoformat().replace("+00:00", "Z")
    evidence |= {"id": str(signature.id), "signed_at": signed_at, "verify_url": verify_url}
    organization = db.session.get_one(Organization, signature.organization_id)
    document = render_signed_document(_content(signature), evidence, organization.timezone)
    db.session.add(
        SignedDocument(
            signature_id=signature.id,
            proposal_id=signature.proposal_id,
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
    proposal = db.session.get_one(Proposal, (link.organization_id, link.proposal_id))
    is_past = proposal.valid_until is not None and proposal.valid_until <= now()
    if proposal.status != "sent" or proposal.deleted_at is not None or is_past:
        return None
    version = db.session.scalars(
        select(ProposalVersion).where(
            ProposalVersion.organization_id == link.organization_id,
            ProposalVersion.proposal_id == link.proposal_id,
            ProposalVersion.version == link.version,
        )
    ).one()
    return _facts(json.loads(version.content), link.email)


def signature_facts(signature_id: UUID) -> dict[str, Any]:
    """What the mails after a signature tell: the proposal, the signer, and what was created."""
    signature = _signature(signature_id)
    assert signature.proposal_id is not None
    created = created_by(signature.proposal_id)
    projects = [
        {"name": project["name"], "phase": PHASE.label(project["phase"])}
        for project in created["projects"]
    ]
    link = db.session.scalars(
        select(SigningLink).where(
            SigningLink.organization_id == signature.organization_id,
            SigningLink.proposal_id == signature.proposal_id,
            SigningLink.version == signature.version,
            SigningLink.revoked_at.is_(None),
        )
    ).one_or_none()
    return _facts(_content(signature), link.email if link else None) | {
        "signature": {
            "signer_name": signature.signer_name,
            "signed_at": signature.signed_at,
            "recorded_by": signature.recorded_by,
        },
        "engagement": created["engagement"],
        "projects": projects,
        "order": created["order"],
        "owner": owner_address(signature.proposal_id),
        "link_id": link.id if link else None,
    }


def decline_facts(proposal_id: UUID) -> dict[str, Any] | None:
    """What the mail about a declined proposal tells; None when it was revised since."""
    proposal = db.session.get(Proposal, (current_organization_id(), proposal_id))
    if proposal is None or proposal.status != "declined":
        return None
    version = db.session.scalars(
        select(ProposalVersion).where(
            ProposalVersion.organization_id == proposal.organization_id,
            ProposalVersion.proposal_id == proposal.id,
            ProposalVersion.version == proposal.version,
        )
    ).one()
    return _facts(json.loads(version.content)) | {
        "reason": proposal.decline_reason,
        "owner": owner_address(proposal_id),
    }


def owner_address(proposal_id: UUID) -> tuple[str, str] | None:
    """Name and address of the proposal's owner, else of the organization's; None without any.

    `owner_id` is a free string (rulings.md, *Owner*), so it may name nobody we know.
    """
    organization_id = current_organization_id()
    owner_id = db.session.scalar(
        select(Proposal.owner_id).where(
            Proposal.organization_id == organization_id, Proposal.id == proposal_id
        )
    )
    is_the_owner = cast(User.id, Text) == owner_id
    member = db.session.execute(
        select(User.name, User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organization_id == organization_id,
            Membership.deleted_at.is_(None),
            or_(is_the_owner, Membership.role == "owner"),
        )
        .order_by(is_the_owner.desc(), Membership.created_at)
        .limit(1)
    ).one_or_none()
    return (member.name, member.email) if member else None


def _signature(signature_id: UUID) -> Signature:
    return db.session.get_one(Signature, (current_organization_id(), signature_id))


def _content(signature: Signature) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        db.session.scalars(
            select(ProposalVersion.content).where(
                ProposalVersion.organization_id == signature.organization_id,
                ProposalVersion.proposal_id == signature.proposal_id,
                ProposalVersion.version == signature.version,
            )
        ).one()
    )
    return content


def _facts(content: dict[str, Any], email: str | None = None) -> dict[str, Any]:
    """What all mails tell; `email` is where the link was sent to, if not as the content says."""
    organization = db.session.get_one(Organization, current_organization_id())
    return {
        "organization": {"name": organization.name},
        "timezone": organization.timezone,
        "proposal": content,
        "contact": content["contact"] | ({"email": email} if email else {}),
    }
