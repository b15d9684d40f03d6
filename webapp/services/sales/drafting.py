"""Proposals while they are drafts: made, edited, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select

from models.catalog import Service
from models.crm import ClientCompany, Contact, Deal
from models.db.base import TenantRecord, db
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement
from models.sales import Proposal, ProposalItem
from webapp.services.billing.numbers import next_number
from webapp.services.billing.terms import kept
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import change, check_values, create, lock, trash
from webapp.services.crm.contacts import own_email
from webapp.services.sales.choices import check_offer, has_choices
from webapp.services.sales.content import items_of
from webapp.services.sales.named_engagement import check_engagement

REFERENCES: dict[str, type[TenantRecord]] = {
    "client_company_id": ClientCompany,
    "contact_id": Contact,
    "deal_id": Deal,
    "engagement_id": Engagement,
}


_ITEM = (
    *("name", "description", "price", "quantity", "service_id"),
    *("optional", "min_quantity", "max_quantity", "tax_category", "tax_rate"),
)
_DEFAULTS = {"quantity": 1, "optional": False}

# What decides whether a proposal can go into the engagement it names.
PARTIES = ("engagement_id", "client_company_id", "contact_id")
DECIDE_ENGAGEMENT = (*PARTIES, "allow_other_company", "currency", "total")


def create_proposal(values: Mapping[str, Any]) -> Proposal:
    """Make a draft with its items; company and contact may be given in words.

    Raises Invalid naming the fields.
    """
    values, items = _resolve(values)
    values |= _offered(items or [], values.get("discount", Decimal(0)))
    proposal = Proposal(
        organization_id=current_organization_id(),
        owner_id=str(current_principal().subject_id or current_principal().credential_id),
        **values,
    )
    check_engagement(proposal)
    proposal.number = next_number("proposal")
    create(proposal)
    _write_items(proposal, items or [])
    return proposal


def update_proposal(
    values: Mapping[str, Any], proposal_id: UUID, *, expected_row_version: int | None = None
) -> Proposal:
    """Edit a draft; given `items` replace all its items, which counts as a change of the draft.

    Raises NotFound, StaleVersion, Invalid, and Conflict when it is no draft any more.
    """
    proposal = lock(Proposal, proposal_id, expected_row_version=expected_row_version)
    if proposal.status != "draft":
        raise Conflict(
            "Only a draft can be edited. Revise the proposal first; that makes a new version"
            " and kills the link of this one."
        )
    values, items = _resolve(values)
    if any(name in values and values[name] != getattr(proposal, name) for name in PARTIES):
        # What staff said was about that engagement and that client.
        values.setdefault("allow_other_company", False)
    stored = items_of([proposal])[proposal.id] if items is not None or "discount" in values else []
    if items is not None or "discount" in values:
        offered = [item.__dict__ for item in stored] if items is None else items
        values |= _offered(offered, values.get("discount", proposal.discount))
    is_replaced = items is not None and _differ(items, stored)
    change(proposal, values, children=("items",) if is_replaced else ())
    if not values.keys().isdisjoint(DECIDE_ENGAGEMENT):
        check_engagement(proposal)
    if is_replaced:
        _replace_items(proposal, items or [])
    return proposal


def _differ(items: Sequence[Mapping[str, Any]], stored: Sequence[ProposalItem]) -> bool:
    """Whether the items given are others than the stored ones, or in another order."""
    given = [tuple({**_DEFAULTS, **item}.get(name) for name in _ITEM) for item in items]
    return given != [tuple(getattr(item, name) for name in _ITEM) for item in stored]


def trash_proposal(proposal_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a proposal. A signed one is evidence and stays: Conflict."""
    proposal = lock(Proposal, proposal_id, expected_row_version=expected_row_version)
    if proposal.status == "signed":
        raise Conflict("A signed proposal cannot be deleted.")
    trash(proposal)


def _resolve(
    values: Mapping[str, Any],
) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    """Check the references, and turn a company and a contact given in words into ids."""
    values = dict(values)
    company, contact = values.pop("client_company", None), values.pop("contact", None)
    items = values.pop("items", None)
    if "billing" in values:
        values["billing"] = kept(values["billing"])
    for name, given in (("client_company", company), ("contact", contact)):
        if given is not None and values.get(f"{name}_id") is not None:
            raise Invalid({name: [f"Give either {name} or {name}_id."]})
    check_values(values, REFERENCES)
    if items:
        _check_items(items)
    if company is not None:
        values["client_company_id"] = _company(company).id
    if contact is not None:
        values["contact_id"] = _contact(contact, values.get("client_company_id")).id
    return values, items


def _company(given: Mapping[str, Any]) -> ClientCompany:
    """The company of this name, or a new one.

    Names are not unique, so no key decides who comes first where two look for a new one at once:
    the second waits here, and finds the first's.
    """
    named = (
        select(ClientCompany)
        .where(
            ClientCompany.organization_id == current_organization_id(),
            ClientCompany.name == given["name"],
            ClientCompany.deleted_at.is_(None),
        )
        .order_by(ClientCompany.created_at)
        .limit(1)
    )
    if (found := db.session.scalars(named).one_or_none()) is not None:
        return found
    key = f"client_company:{current_organization_id()}:{given['name']}"
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    return db.session.scalars(named).one_or_none() or create(ClientCompany(**given))


def _contact(given: Mapping[str, Any], company_id: UUID | None) -> Contact:
    """The contact with this e-mail address, or a new one.

    Raises Conflict when somebody makes one with this address now, and it is not there to be found.
    """
    addressed = select(Contact).where(
        Contact.organization_id == current_organization_id(),
        Contact.email_key == func.lower(given["email"]),
        Contact.deleted_at.is_(None),
    )
    if (found := db.session.scalars(addressed).one_or_none()) is not None:
        return found
    contact = Contact(client_company_id=company_id, **given)
    try:
        with db.session.begin_nested(), own_email():
            return create(contact)
    except Conflict:
        # The unique key waited for whoever made it at the same time.
        if (found := db.session.scalars(addressed).one_or_none()) is not None:
            return found
        raise


def _check_items(items: Sequence[Mapping[str, Any]]) -> None:
    """Each item's service must be there; one statement for all."""
    wanted = {item["service_id"] for item in items if item.get("service_id")}
    if wanted:
        found = set(
            db.session.scalars(
                select(Service.id).where(
                    Service.organization_id == current_organization_id(),
                    Service.id.in_(wanted),
                    Service.deleted_at.is_(None),
                )
            )
        )
        missing = {
            f"items.{index}.service_id": ["There is no service with this id."]
            for index, item in enumerate(items)
            if item.get("service_id") and item["service_id"] not in found
        }
        if missing:
            raise Invalid(missing)


def _offered(items: Sequence[Mapping[str, Any]], discount: Decimal) -> dict[str, Any]:
    """What follows from items and discount. Raises Invalid naming what does not fit."""
    return {"total": check_offer(items, discount), "has_choices": has_choices(items)}


def _replace_items(proposal: Proposal, items: Sequence[Mapping[str, Any]]) -> None:
    db.session.execute(
        delete(ProposalItem)
        .where(
            ProposalItem.organization_id == proposal.organization_id,
            ProposalItem.proposal_id == proposal.id,
        )
        .execution_options(synchronize_session=False)
    )
    _write_items(proposal, items)


def _write_items(proposal: Proposal, items: Sequence[Mapping[str, Any]]) -> None:
    db.session.add_all(
        ProposalItem(
            organization_id=proposal.organization_id,
            proposal_id=proposal.id,
            position=position,
            total=item["price"] * item.get("quantity", 1),
            **item,
        )
        for position, item in enumerate(items)
    )
    db.session.flush()  # one statement for all, before they are read again
