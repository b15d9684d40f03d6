"""Deals: how they are read, made, moved along their stages and trashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, select

from models.crm import ClientCompany, Contact, Deal
from models.db.base import TenantRecord, db
from models.db.queries import Row
from models.db.tenancy import current_organization_id, current_principal
from models.states import DEAL
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.reads import (
    Filter,
    RecordQuery,
    among,
    days_last,
    equals,
    from_on,
    up_to,
)
from webapp.services.common.writes import change, check_values, create_read, lock, move, now, trash
from webapp.services.crm.briefs import client_briefs
from webapp.services.crm.companies import COMPANIES
from webapp.services.crm.contacts import CONTACTS

DEALS = RecordQuery(
    Deal,
    domain="crm",
    noun="deal",
    custom_fields="deal",
    extra=client_briefs(Deal),
    filters={
        "stage": among(Deal.stage),
        "client_company_id": equals(Deal.client_company_id),
        "contact_id": equals(Deal.contact_id),
        "owner_id": equals(Deal.owner_id),
        "currency": equals(Deal.currency),
        "has_value": Filter(lambda wanted: wanted == Deal.value.is_not(None), Boolean()),
        "has_expected_close_date": Filter(
            lambda wanted: wanted == Deal.expected_close_date.is_not(None), Boolean()
        ),
        "expected_close_from": from_on(Deal.expected_close_date),
        "expected_close_until": up_to(Deal.expected_close_date),
        "stage_since_from": from_on(Deal.stage_since),
        "stage_since_until": up_to(Deal.stage_since),
    },
    sorts={
        "stage_since": Deal.stage_since,
        "expected_close_date": days_last(Deal.expected_close_date),
    },
    expandable={
        "client_company": ("client_company_id", COMPANIES),
        "contact": ("contact_id", CONTACTS),
    },
)
REFERENCES: dict[str, type[TenantRecord]] = {
    "client_company_id": ClientCompany,
    "contact_id": Contact,
}


def create_deal(values: Mapping[str, Any]) -> Row:
    """Make a deal, the caller's own unless `owner_id` says whose.

    Raises Invalid naming the fields, and Conflict for one that is won already.
    """
    stage = values.get("stage", DEAL.initial)
    _refuse_winning(stage)
    _check(stage, values)
    deal = Deal(**{"owner_id": current_principal().actor["id"], **values})
    if stage == "lost":
        deal.closed_at = now()
    return create_read(deal, DEALS, references=REFERENCES, custom_fields="deal")


def update_deal(
    values: Mapping[str, Any], deal_id: UUID, *, expected_row_version: int | None = None
) -> Deal:
    """Change a deal; a new stage moves it along its machine, and `closed_at` follows.

    Raises NotFound, StaleVersion, Invalid naming the fields (`lost_reason` when it is lost without
    one), InvalidTransition, and Conflict when it shall be won by hand (rulings.md, *Deal stages*).
    """
    values = dict(values)
    deal = lock(Deal, deal_id, expected_row_version=expected_row_version)
    stage = values.pop("stage", deal.stage)
    if stage != deal.stage:
        _refuse_winning(stage)
    _check(stage, {"value": deal.value, "currency": deal.currency, **values}, was=deal.stage)
    check_values(values, REFERENCES, custom_fields="deal")
    change(deal, values)
    if stage != deal.stage:
        _move(deal, stage)
    return deal


def trash_deal(deal_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a deal. Raises NotFound, StaleVersion."""
    trash(lock(Deal, deal_id, expected_row_version=expected_row_version))


def win_deal(deal_id: UUID | None) -> None:
    """The deal is won; a signature is the only way there (rulings.md, *Deal stages*)."""
    if deal_id is None:
        return
    deal = db.session.scalars(
        select(Deal)
        .where(Deal.organization_id == current_organization_id(), Deal.id == deal_id)
        .with_for_update()
    ).one_or_none()
    if deal is None or deal.stage == "won":
        return
    if not DEAL.allows(deal.stage, "won"):
        # It was given up before the client signed after all: it is open again, and won.
        deal.closed_at = deal.lost_from = None
        move(deal, DEAL, "lead")
    deal.closed_at = deal.stage_since = now()
    deal.lost_reason = None
    move(deal, DEAL, "won")


def _move(deal: Deal, stage: str) -> None:
    is_lost = stage == "lost"
    reason = deal.lost_reason if is_lost else None
    moment = now()
    if DEAL.allows(deal.stage, stage):
        deal.stage_since = moment
        deal.closed_at = moment if is_lost else None
        deal.lost_reason = reason
        deal.lost_from = deal.stage if is_lost else None
    move(deal, DEAL, stage, reason=reason)


def _refuse_winning(stage: str) -> None:
    if stage == "won":
        raise Conflict(
            "A deal is won by a signature: send a proposal that names the deal, and have it signed."
        )


def _check(stage: str, values: Mapping[str, Any], *, was: str | None = None) -> None:
    gave_reason = (values.get("lost_reason") or "").strip()
    if stage == "lost" and not gave_reason and (was != "lost" or "lost_reason" in values):
        raise Invalid({"lost_reason": ["Say why the deal was lost."]})
    if values.get("lost_reason") is not None and stage != "lost":
        raise Invalid({"lost_reason": ["Only a deal that is lost has a reason for it."]})
    if values.get("value") is not None and values.get("currency") is None:
        raise Invalid({"currency": ["Say the currency of value."]})
