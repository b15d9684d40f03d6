"""Sending a proposal, and what may happen to it instead of a signature."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from models.crm import Contact
from models.db.base import db
from models.db.tenancy import current_organization_id, current_principal
from models.identity import MAX_LINK_DAYS, Organization
from models.sales import Proposal, ProposalVersion, SigningLink
from models.states import PROPOSAL
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Expired, Invalid, LinkReplaced, NotFound
from webapp.services.common.writes import lock, move, now, touch
from webapp.services.crm.contacts import correct_email
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.content import client_of, freeze
from webapp.services.sales.delivery import address_of, living_link, mail_again, make_link
from webapp.services.sales.named_engagement import check_currency, check_engagement
from webapp.services.sales.queries import SENT_ELSEWHERE

_INSTEAD_OF_RESENDING = {
    "draft": "This proposal is a draft; send it.",
    "signed": "This proposal is signed; its link goes on showing it.",
    "declined": "This proposal was declined; revise it to send a new version.",
    "expired": "This proposal has expired; revise it to send a new version.",
}


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
    check_currency(proposal)
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
    link = make_link(proposal, _contact(proposal).email or "", secret_key)
    move(proposal, PROPOSAL, "sent", type="sent", metadata={"version": proposal.version})
    db.session.flush()
    return link


def resend_proposal(
    values: Mapping[str, Any],
    proposal_id: UUID,
    secret_key: bytes,
    *,
    expected_row_version: int | None = None,
) -> SigningLink:
    """Mail the link of a sent proposal again, or a new one to another address.

    That is `email` if it is given, else what the contact has now; the contact gets it too. The link
    that went to the old address is dead then. Raises NotFound, StaleVersion, Expired, and Conflict
    when the proposal waits for no signature, or the address is another contact's.
    """
    proposal = lock(Proposal, proposal_id, expected_row_version=expected_row_version)
    if proposal.status != "sent":
        raise Conflict(_INSTEAD_OF_RESENDING[proposal.status])
    check_not_expired(proposal, "This proposal has expired; revise it to send a new version.")
    contact = _contact(proposal)
    if contact.deleted_at is not None:
        raise Conflict("This contact was deleted; revise the proposal and name another.")
    link = living_link(proposal)
    before = address_of(link)
    email = values.get("email") or contact.email or before
    is_another = email.lower() != before.lower()
    if is_another:
        correct_email(contact.id, email)
        link.revoked_at = now()
        db.session.flush()  # one living link a version
        link = make_link(proposal, email, secret_key)
        proposal.opened_at = proposal.viewed_at = None
    else:
        mail_again(link)
    touch(proposal)
    told = {"version": proposal.version, "to_another_address": is_another}
    record_activity(proposal, "resent", metadata=told)
    db.session.flush()
    return link


def _contact(proposal: Proposal) -> Contact:
    """Who shall sign a proposal that is sent, deleted or not. Raises Conflict if it is gone."""
    contact = client_of(proposal)[1]
    if contact is None:
        raise Conflict("The contact is gone; revise the proposal and name another.")
    return contact


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

    Raises LinkReplaced when another link took this one's place, NotFound when it was deleted.
    """
    organization_id = current_organization_id()
    its_link = (SigningLink.organization_id == organization_id) & (
        SigningLink.id == current_principal().subject_id
    )
    proposal = db.session.scalars(
        select(Proposal)
        .where(
            Proposal.organization_id == organization_id,
            Proposal.id == select(SigningLink.proposal_id).where(its_link).scalar_subquery(),
            Proposal.deleted_at.is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if proposal is None:
        raise NotFound("This link is not known.")
    # Read under the lock: another link may have taken its place while that was waited for.
    link = db.session.scalars(
        select(SigningLink).where(its_link).execution_options(populate_existing=True)
    ).one()
    if link.revoked_at is not None or link.version != proposal.version:
        is_revised = link.version != proposal.version
        raise LinkReplaced() if is_revised else LinkReplaced(SENT_ELSEWHERE)
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


def check_not_expired(proposal: Proposal, advice: str | None = None) -> None:
    """By the database's clock, after the lock was waited for. Raises Expired, with this advice."""
    if proposal.valid_until is not None:
        # What was changed on the proposal so far is written with what comes after.
        with db.session.no_autoflush:
            clock: dt.datetime = db.session.execute(select(func.clock_timestamp())).scalar_one()
        if clock >= proposal.valid_until:
            raise Expired(advice)


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
