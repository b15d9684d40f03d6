"""Sending a proposal, and what may happen to it instead of a signature."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id, current_principal
from models.identity import MAX_LINK_DAYS, Credential, Organization
from models.sales import Proposal, ProposalVersion, SigningLink
from models.states import PROPOSAL
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.exceptions import Conflict, Expired, Invalid, LinkReplaced, NotFound
from webapp.services.common.writes import lock, move, now, touch
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.content import freeze
from webapp.services.sales.named_engagement import check_engagement


def send_proposal(
    proposal_id: UUID, secret_key: bytes, *, expected_row_version: int | None = None
) -> SigningLink:
    """Freeze the draft, make its signing link, and have it mailed (sign-flow.md, *Sending*).

    Raises NotFound, StaleVersion, InvalidTransition, and Invalid naming what is missing.
    """
    proposal = lock(Proposal, proposal_id, expected_row_version=expected_row_version)
    if proposal.status != "draft":
        raise Conflict("Only a draft can be sent. Revise the proposal to send a new version.")
    _limit(proposal)
    check_engagement(proposal)
    sent_at = now()
    content, content_sha256 = freeze(proposal, sent_at)
    proposal.sent_at = sent_at
    proposal.opened_at = proposal.viewed_at = None
    proposal.content_sha256 = content_sha256
    db.session.add(
        ProposalVersion(
            proposal_id=proposal.id,
            version=proposal.version,
            content=content,
            content_sha256=content_sha256,
            sent_at=sent_at,
        )
    )
    link = SigningLink(
        id=uuid7(),
        proposal_id=proposal.id,
        version=proposal.version,
        contact_id=proposal.contact_id,
        credential_id=uuid7(),
    )
    db.session.add(link)
    db.session.add(
        Credential(
            id=link.credential_id,
            organization_id=current_organization_id(),
            kind="signing_link",
            digest=secrets.digest(secrets.link_token(secret_key, link.id)),
            subject_id=link.id,
            label="client",
        )
    )
    move(proposal, PROPOSAL, "sent", type="sent", metadata={"version": proposal.version})
    enqueue(
        "sales.mail_signing_link",
        link.id,
        {"link_id": str(link.id)},
        ordering_key=f"mail:proposal:{proposal.id}",
    )
    db.session.flush()
    return link


def revise_proposal(proposal_id: UUID, *, expected_row_version: int | None = None) -> Proposal:
    """Make a new version, back in Draft; the old link is dead from now on.

    Raises NotFound, StaleVersion, InvalidTransition.
    """
    proposal = lock(Proposal, proposal_id, expected_row_version=expected_row_version)
    move(proposal, PROPOSAL, "draft", type="revised", metadata={"version": proposal.version + 1})
    organization_id = current_organization_id()
    db.session.execute(
        update(ProposalVersion)
        .where(
            ProposalVersion.organization_id == organization_id,
            ProposalVersion.proposal_id == proposal.id,
            ProposalVersion.superseded_at.is_(None),
        )
        .values(superseded_at=now())
        .execution_options(synchronize_session=False)
    )
    db.session.execute(
        update(SigningLink)
        .where(
            SigningLink.organization_id == organization_id,
            SigningLink.proposal_id == proposal.id,
            SigningLink.revoked_at.is_(None),
        )
        .values(revoked_at=now())
        .execution_options(synchronize_session=False)
    )
    proposal.version += 1
    proposal.content_sha256 = None
    proposal.sent_at = proposal.opened_at = proposal.viewed_at = None
    if proposal.valid_until_by_default:
        proposal.valid_until, proposal.valid_until_by_default = None, False
    proposal.declined_at = proposal.decline_reason = proposal.expired_at = None
    return proposal


def decline_proposal(
    values: Mapping[str, Any], proposal_id: UUID, *, expected_row_version: int | None = None
) -> None:
    """Record that the client declined. Raises NotFound, StaleVersion, and as `_decline`."""
    _decline(
        lock(Proposal, proposal_id, expected_row_version=expected_row_version), values["reason"]
    )


def decline_by_link(reason: str) -> None:
    """Decline as the client who holds the link. Raises LinkReplaced, and as `_decline`."""
    proposal = linked_proposal()
    note_view(proposal)
    _decline(proposal, reason)


def _decline(proposal: Proposal, reason: str) -> None:
    """Raises InvalidTransition, and Expired by the database's clock."""
    if PROPOSAL.allows(proposal.status, "declined"):
        check_not_expired(proposal)
        proposal.declined_at = now()
        proposal.decline_reason = reason
    move(proposal, PROPOSAL, "declined", type="declined", reason=reason)
    enqueue(
        "sales.mail_declined",
        f"{proposal.id}:{proposal.version}",
        {"proposal_id": str(proposal.id)},
        ordering_key=f"mail:proposal:{proposal.id}",
    )


def linked_proposal() -> Proposal:
    """The proposal of the signing link that lets this caller in, locked.

    Raises LinkReplaced when a newer version took the link's place, NotFound when it was deleted.
    """
    link = db.session.scalars(
        select(SigningLink).where(
            SigningLink.organization_id == current_organization_id(),
            SigningLink.id == current_principal().subject_id,
        )
    ).one_or_none()
    if link is None:
        raise NotFound("This link is not known.")
    proposal = lock(Proposal, link.proposal_id)
    if link.revoked_at is not None or link.version != proposal.version:
        raise LinkReplaced()
    return proposal


def mark_opened() -> None:
    """Note that the link was fetched, by whomever; the first time only."""
    _mark(linked_proposal(), "opened")


def mark_viewed() -> None:
    """Note that a person did something with the proposal behind the link; the first time only.

    Raises LinkReplaced and NotFound.
    """
    note_view(linked_proposal())


def note_view(proposal: Proposal) -> None:
    """As `mark_viewed`, on the locked proposal: signing and declining are views as well."""
    _mark(proposal, "opened")
    _mark(proposal, "viewed")


def _mark(proposal: Proposal, event: str) -> None:
    column = f"{event}_at"
    if proposal.status == "sent" and getattr(proposal, column) is None:
        setattr(proposal, column, now())
        touch(proposal)
        record_activity(proposal, event, metadata={"version": proposal.version})


def _limit(proposal: Proposal) -> None:
    """See to it that the offer ends: by default when the organization says, at last in a year.

    Raises Invalid naming `valid_until` for a time that has passed or is further away.
    """
    if proposal.valid_until is None:
        organization = db.session.get_one(Organization, current_organization_id())
        proposal.valid_until = now() + dt.timedelta(days=organization.link_days)
        proposal.valid_until_by_default = True
    elif proposal.valid_until <= now():
        raise Invalid({"valid_until": ["This has passed already; choose a later time."]})
    elif proposal.valid_until > now() + dt.timedelta(days=MAX_LINK_DAYS):
        wrong = f"A link waits at most {MAX_LINK_DAYS} days; choose an earlier time."
        raise Invalid({"valid_until": [wrong]})


def check_not_expired(proposal: Proposal) -> None:
    """By the database's clock, after the lock was waited for. Raises Expired."""
    if proposal.valid_until is not None:
        clock: dt.datetime = db.session.execute(select(func.clock_timestamp())).scalar_one()
        if clock >= proposal.valid_until:
            raise Expired()


def expire_proposals(limit: int = 500) -> int:
    """Expire sent proposals whose time has passed; returns how many. One bounded batch."""
    proposals = db.session.scalars(
        select(Proposal)
        .where(
            Proposal.organization_id == current_organization_id(),
            Proposal.status == "sent",
            Proposal.valid_until <= func.now(),
            Proposal.deleted_at.is_(None),
        )
        .order_by(Proposal.valid_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for proposal in proposals:
        proposal.expired_at = now()
        move(proposal, PROPOSAL, "expired", type="expired")
    return len(proposals)
