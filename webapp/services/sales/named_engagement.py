"""The engagement that a proposal names: whether its signature can add to it.

Asked while drafting and sending, so that staff learn of it early; while signing, because
engagement and client may have changed since; and by the fulfilment, which opens an engagement of
its own where it has become impossible after the signature.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import aliased

from models.crm import Contact
from models.db.base import MAX_MONEY, db
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.sales import Proposal
from webapp.services.common.exceptions import Invalid


def check_engagement(proposal: Proposal) -> None:
    """Raise Invalid naming `engagement_id` when the proposal cannot go where it says."""
    if proposal.engagement_id is None:
        return
    engagement = db.session.scalars(_named(proposal)).one_or_none()
    if engagement is None:
        _refuse("This engagement was deleted; leave it out for a new one.")
    elif not _is_open(engagement):
        _refuse("This engagement is closed; leave it out for a new one.")
    elif reason := _reason_against(engagement, proposal):
        _refuse(reason)


def check_currency(proposal: Proposal) -> None:
    """Raise Invalid naming `currency` when the engagement it goes into has another one.

    Asked when the proposal is sent: its total could not be added to the engagement's.
    """
    if proposal.engagement_id is None:
        return
    engagement = db.session.scalars(_named(proposal)).one_or_none()
    if engagement is not None and not counts(engagement, proposal):
        wrong = f"This engagement is in {engagement.currency}; leave it out for a new one."
        raise Invalid({"currency": [wrong]})


def check_engagement_to_sign(proposal: Proposal) -> None:
    """As `check_engagement`, counting what is signed already and not carried out yet.

    Signatures into one engagement come one after the other, so that the second counts the first;
    nobody who holds the engagement itself keeps a client waiting. One that was closed or deleted
    meanwhile is no obstacle: the signature opens a new one.
    """
    if proposal.engagement_id is None:
        return
    key = f"sign_into:{proposal.engagement_id}"
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    # In one statement: a fulfilment that ends meanwhile moves its total from the one to the other.
    found = db.session.execute(
        _named(proposal).add_columns(_promised(proposal).label("promised"))
    ).one_or_none()
    if found is None or not _is_open(found.Engagement):
        return
    if reason := _reason_against(found.Engagement, proposal, promised=found.promised):
        _refuse(reason)


def engagement_to_extend(proposal: Proposal) -> Engagement | None:
    """The engagement that a signed proposal goes into, locked; None if it opens a new one."""
    if proposal.engagement_id is None:
        return None
    engagement = db.session.scalars(_named(proposal).with_for_update()).one_or_none()
    if engagement is None or not _is_open(engagement) or _reason_against(engagement, proposal):
        return None
    return engagement


def may_look_in(engagement: Engagement, proposal: Proposal) -> bool:
    """Whether the proposal's contact may see the engagement: not where it is another company's."""
    company_id = _company_of(engagement)
    contacts = _company_of_contact(proposal.contact_id) or proposal.client_company_id
    return company_id is None or contacts == company_id


def counts(engagement: Engagement, proposal: Proposal) -> bool:
    """Whether the proposal's total is added to the engagement's: only in the same currency."""
    return engagement.currency in (None, proposal.currency)


def _is_open(engagement: Engagement) -> bool:
    return engagement.status in ("active", "on_hold")


def _reason_against(
    engagement: Engagement, proposal: Proposal, promised: Decimal = Decimal(0)
) -> str | None:
    if counts(engagement, proposal):
        total = (engagement.total_value or Decimal(0)) + promised + proposal.total
        if total > MAX_MONEY:
            return f"With this proposal the engagement would be worth more than {MAX_MONEY}."
    company_id = _company_of(engagement)
    if company_id is None or proposal.allow_other_company:
        return None
    if proposal.client_company_id is None and proposal.contact_id is None:
        return None  # a draft that does not say yet for whom it is
    if _company_of(proposal) != company_id:
        return (
            "This engagement is another company's; leave it out for a new one, or send"
            " allow_other_company: true with it."
        )
    return None


def _company_of(record: Engagement | Proposal) -> UUID | None:
    """The company that the record is for: its own, else its contact's."""
    return record.client_company_id or _company_of_contact(record.contact_id)


def _company_of_contact(contact_id: UUID | None) -> UUID | None:
    if contact_id is None:
        return None
    contact = db.session.get(Contact, (current_organization_id(), contact_id))
    return contact.client_company_id if contact is not None else None


def _named(proposal: Proposal) -> Select[Engagement]:
    """The engagement the proposal names, as it is now; none if it is deleted."""
    return (
        select(Engagement)
        .where(
            Engagement.organization_id == current_organization_id(),
            Engagement.id == proposal.engagement_id,
            Engagement.deleted_at.is_(None),
        )
        .execution_options(populate_existing=True)
    )


def _promised(proposal: Proposal) -> ScalarSelect[Decimal]:
    """What signatures have promised to the engagement that is not in its total yet."""
    waiting = aliased(Proposal)
    return (
        select(func.coalesce(func.sum(waiting.total), Decimal(0)))
        .where(
            waiting.organization_id == Engagement.organization_id,
            waiting.engagement_id == Engagement.id,
            waiting.status == "signed",
            waiting.converted_engagement_id.is_(None),
            waiting.currency == func.coalesce(Engagement.currency, proposal.currency),
        )
        .correlate(Engagement)
        .scalar_subquery()
    )


def _refuse(reason: str) -> None:
    raise Invalid({"engagement_id": [reason]})
