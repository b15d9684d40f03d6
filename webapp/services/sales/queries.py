"""How proposals, and what became of them, are read."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, case, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSON, aggregate_order_by

from models.billing import Order
from models.db.queries import CompiledQuery, bound, resolve_context
from models.db.tenancy import current_principal
from models.engagements import Engagement
from models.identity import Organization
from models.jobs import Job
from models.projects import Project
from models.sales import (
    Proposal,
    ProposalItem,
    ProposalVersion,
    Signature,
    SignedDocument,
    SigningLink,
)
from webapp.services.common.exceptions import LinkReplaced, NotFound
from webapp.services.common.reads import RecordQuery, aggregate, among, brief, equals
from webapp.services.crm.briefs import client_briefs
from webapp.services.sales.content import CONSENT_TEXT

# What the holder of a link is told that was replaced by one to another address.
SENT_ELSEWHERE = "This link was replaced; use the link in the latest mail."

_ITEMS = aggregate(
    select(ProposalItem)
    .where(
        ProposalItem.organization_id == Proposal.organization_id,
        ProposalItem.proposal_id == Proposal.id,
    )
    .correlate(Proposal),
    ProposalItem.position,
    id=ProposalItem.id,
    name=ProposalItem.name,
    description=ProposalItem.description,
    price=cast(ProposalItem.price, Text),
    quantity=ProposalItem.quantity,
    total=cast(ProposalItem.total, Text),
    service_id=ProposalItem.service_id,
    optional=ProposalItem.optional,
    min_quantity=ProposalItem.min_quantity,
    max_quantity=ProposalItem.max_quantity,
    tax_category=ProposalItem.tax_category,
    tax_rate=cast(ProposalItem.tax_rate, Text),
)

_FROZEN_EMAIL = (
    select(cast(ProposalVersion.content, JSON)["contact"]["email"].astext)
    .where(
        ProposalVersion.organization_id == SigningLink.organization_id,
        ProposalVersion.proposal_id == SigningLink.proposal_id,
        ProposalVersion.version == SigningLink.version,
    )
    .correlate(SigningLink)
    .scalar_subquery()
)
_DELIVERY_STATE = case(
    (SigningLink.undeliverable_at.is_not(None), literal_column("'undeliverable'")),
    (SigningLink.delivered_at.is_not(None), literal_column("'delivered'")),
    else_=literal_column("'pending'"),
)


def delivery_of(*opens: ColumnElement[bool], correlate: Any) -> Any:
    """What became of the mail with the living link; null where there is none."""
    return (
        select(
            func.json_build_object(
                literal_column("'state'"), _DELIVERY_STATE,
                literal_column("'to'"), func.coalesce(SigningLink.email, _FROZEN_EMAIL),
                literal_column("'at'"),
                func.coalesce(SigningLink.undeliverable_at, SigningLink.delivered_at),
                literal_column("'reason'"), SigningLink.undeliverable_reason,
            )
        )
        .where(*opens, SigningLink.revoked_at.is_(None))
        .correlate(correlate)
        .scalar_subquery()
    )  # fmt: skip


# To the present version.
_DELIVERY = delivery_of(
    SigningLink.organization_id == Proposal.organization_id,
    SigningLink.proposal_id == Proposal.id,
    SigningLink.version == Proposal.version,
    correlate=Proposal,
)

PROPOSALS = RecordQuery(
    Proposal,
    domain="sales",
    noun="proposal",
    extra={
        **client_briefs(Proposal),
        "items": _ITEMS,
        "delivery": _DELIVERY,
    },
    filters={
        "status": among(Proposal.status),
        "client_company_id": equals(Proposal.client_company_id),
        "contact_id": equals(Proposal.contact_id),
        "deal_id": equals(Proposal.deal_id),
        "engagement_id": equals(Proposal.engagement_id),
        "owner_id": equals(Proposal.owner_id),
    },
)

_JOB = CompiledQuery.of(
    select(Job.id, Job.kind, Job.state, Job.created_at).where(Job.id == bound("id", Job.id.type))
)

_CREATED_PROJECTS = (
    select(
        func.coalesce(
            func.json_agg(
                aggregate_order_by(
                    func.json_build_object(
                        "id", Project.id, "name", Project.name,
                        "phase", Project.phase, "status", Project.status,
                    ),
                    ProposalItem.position,
                )
            ),
            func.json_build_array(),
        )
    )
    .select_from(Project)
    .join(
        ProposalItem,
        (ProposalItem.organization_id == Project.organization_id)
        & (ProposalItem.id == Project.proposal_item_id),
    )
    .where(
        ProposalItem.organization_id == Proposal.organization_id,
        ProposalItem.proposal_id == Proposal.id,
        Project.deleted_at.is_(None),
    )
    .correlate(Proposal)
    .scalar_subquery()
)  # fmt: skip

_CREATED = CompiledQuery.of(
    select(
        brief(
            Engagement,
            Proposal.converted_engagement_id,
            living=True,
            name=Engagement.name,
            status=Engagement.status,
        ).label("engagement"),
        _CREATED_PROJECTS.label("projects"),
        brief(
            Order,
            Proposal.converted_order_id,
            number=Order.number,
            engagement_id=Order.engagement_id,
            proposal_id=Order.proposal_id,
            status=Order.status,
            total=cast(Order.total, Text),
            discount=cast(Order.discount, Text),
            currency=Order.currency,
        ).label("order"),
    ).where(Proposal.id == bound("id", Proposal.id.type))
)

_LINKED = CompiledQuery.of(
    select(
        Proposal.id,
        Proposal.status,
        Proposal.version,
        Proposal.opened_at,
        Proposal.viewed_at,
        Proposal.deleted_at,
        (Proposal.valid_until <= func.now()).label("is_past"),
        SigningLink.version.label("link_version"),
        SigningLink.revoked_at,
        ProposalVersion.content,
        ProposalVersion.content_sha256,
        Organization.timezone,
        Signature.id.label("signature_id"),
        Signature.signer_name,
        Signature.signed_at,
        Signature.recorded_by,
        Signature.selection,
        SignedDocument.id.label("document_id"),
    )
    .select_from(SigningLink)
    .join(
        Proposal,
        (Proposal.organization_id == SigningLink.organization_id)
        & (Proposal.id == SigningLink.proposal_id),
    )
    .join(Organization, Organization.id == SigningLink.organization_id)
    .join(
        ProposalVersion,
        (ProposalVersion.organization_id == SigningLink.organization_id)
        & (ProposalVersion.proposal_id == SigningLink.proposal_id)
        & (ProposalVersion.version == SigningLink.version),
    )
    .outerjoin(
        Signature,
        (Signature.organization_id == SigningLink.organization_id)
        & (Signature.proposal_id == SigningLink.proposal_id)
        & SigningLink.revoked_at.is_(None)  # what another link's holder signed is not this one's
        & (Signature.version == SigningLink.version),  # never that of a newer version
    )
    .outerjoin(
        SignedDocument,
        (SignedDocument.organization_id == Signature.organization_id)
        & (SignedDocument.signature_id == Signature.id),
    )
    .where(SigningLink.credential_id == bound("credential_id", SigningLink.id.type))
)

_DOCUMENT = CompiledQuery.of(
    select(SignedDocument.content, SignedDocument.sha256, Proposal.number)
    .join(
        Proposal,
        (Proposal.organization_id == SignedDocument.organization_id)
        & (Proposal.id == SignedDocument.proposal_id),
    )
    .where(SignedDocument.proposal_id == bound("proposal_id", SignedDocument.id.type))
)

_CERTIFICATE = CompiledQuery.of(
    select(
        *(column for column in Signature.__table__.columns if column.key != "data"),
        SignedDocument.sha256.label("document_sha256"),
    )
    .outerjoin(
        SignedDocument,
        (SignedDocument.organization_id == Signature.organization_id)
        & (SignedDocument.signature_id == Signature.id),
    )
    .where(Signature.proposal_id == bound("proposal_id", Signature.id.type))
)


def created_by(proposal_id: UUID) -> dict[str, Any]:
    """The engagement, projects and order that signing created, without what was deleted since.

    `order` is None as long as nothing is created.
    """
    return _CREATED.one(id=proposal_id) or {"engagement": None, "projects": [], "order": None}


def job_state(job_id: UUID) -> dict[str, Any]:
    """The job in short. Raises NotFound."""
    row = _JOB.one(id=job_id)
    if row is None:
        raise NotFound("There is no job with this id.")
    return row


def proposal_behind_link(credential_id: UUID, *, even_replaced: bool = False) -> dict[str, Any]:
    """What the holder of a signing link may read, and where the proposal stands.

    A link opens its own version: with `even_replaced`, one whose version was revised, or was sent
    to another address, reads what it read before, and that (`revised`, `replaced`); nothing of what
    came after. Raises LinkReplaced for such a link otherwise, NotFound for a deleted proposal.
    """
    row = _LINKED.one(credential_id=credential_id)
    if row is None or row["deleted_at"] is not None:
        raise NotFound("This link is not known.")
    if row["revoked_at"] is not None or row["link_version"] != row["version"]:
        is_revised = row["link_version"] != row["version"]
        if not even_replaced:
            raise LinkReplaced() if is_revised else LinkReplaced(SENT_ELSEWHERE)
        status = "revised" if is_revised else "replaced"
        row |= {"status": status, "opened_at": None, "viewed_at": None}
    elif row["status"] == "sent" and row["is_past"]:
        row["status"] = "expired"  # the beat job writes it down; the clock has decided already
    return {
        **json.loads(row["content"]),
        "id": row["id"],
        "status": row["status"],
        "opened_at": row["opened_at"],
        "viewed_at": row["viewed_at"],
        "signed_at": row["signed_at"],
        "content_sha256": row["content_sha256"],
        "consent_text": CONSENT_TEXT,
        "timezone": row["timezone"],
        "signature_id": row["signature_id"],
        "signer_name": row["signer_name"],
        "recorded_by": row["recorded_by"],
        "selection": row["selection"],
        "has_document": row["document_id"] is not None,
    }


def linked_to_caller(*, even_replaced: bool = False) -> dict[str, Any]:
    """`proposal_behind_link` for the caller's own link."""
    resolve_context()
    credential_id = current_principal().credential_id
    assert credential_id is not None
    return proposal_behind_link(credential_id, even_replaced=even_replaced)


def certificate(proposal_id: UUID) -> dict[str, Any]:
    """The evidence of a proposal's signature, without the drawing. Raises NotFound before it."""
    row = _CERTIFICATE.one(proposal_id=proposal_id)
    if row is None:
        raise NotFound("This proposal is not signed.")
    return row


def signed_document(proposal_id: UUID) -> dict[str, Any]:
    """The signed PDF of a proposal: content, sha256, number. Raises NotFound until it is there."""
    row = _DOCUMENT.one(proposal_id=proposal_id)
    if row is None:
        raise NotFound("There is no signed document yet.")
    return row
