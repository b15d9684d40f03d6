"""How contracts are read: all of them, and those an engagement works under."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Boolean, Date, Integer, and_, cast, exists, func, or_, select
from sqlalchemy.orm import aliased

from models.contracts import Contract
from models.engagements import Engagement, EngagementContract
from models.identity import Organization
from models.sales import SigningLink
from webapp.services.common.reads import (
    Filter,
    RecordQuery,
    aggregate,
    among,
    days_last,
    equals,
    from_on,
    up_to,
)
from webapp.services.crm.briefs import client_briefs
from webapp.services.identity.organization import DEFAULTS
from webapp.services.sales.queries import delivery_of

_Next = aliased(Contract, name="next_term")
_SOON = func.coalesce(
    cast(Organization.settings["thresholds"]["contract_ending_days"].astext, Integer),
    DEFAULTS["thresholds"]["contract_ending_days"],
)
# The day it is where the organization is. Row-level security shows the caller's alone.
_TODAY_THERE = cast(func.timezone(Organization.timezone, func.now()), Date)
_TODAY = select(_TODAY_THERE).scalar_subquery()
_SOON_IS_UNTIL = select(_TODAY_THERE + _SOON).scalar_subquery()
IS_ENDING_SOON = and_(
    Contract.status == "signed",
    Contract.end_date >= _TODAY,
    Contract.end_date <= _SOON_IS_UNTIL,
)


def works_under(engagement_id: Any) -> Any:
    """Whether the engagement works under the contract."""
    linked = select(EngagementContract.contract_id).where(
        EngagementContract.engagement_id == engagement_id
    )
    first = select(Engagement.contract_id).where(
        Engagement.id == engagement_id, Engagement.contract_id.is_not(None)
    )
    return Contract.id.in_(linked.union(first))


CONTRACTS = RecordQuery(
    Contract,
    domain="sales",
    noun="contract",
    extra={
        **client_briefs(Contract),
        "delivery": delivery_of(
            SigningLink.organization_id == Contract.organization_id,
            SigningLink.contract_id == Contract.id,
            correlate=Contract,
        ),
        "is_ending_soon": func.coalesce(IS_ENDING_SOON, False),
        "renewed_by_id": select(_Next.id)
        .where(_Next.organization_id == Contract.organization_id, _Next.renews_id == Contract.id)
        .correlate(Contract)
        .scalar_subquery(),
    },
    children={
        "engagements": aggregate(
            select(Engagement)
            .where(
                Engagement.organization_id == Contract.organization_id,
                Engagement.deleted_at.is_(None),
                or_(
                    Engagement.contract_id == Contract.id,
                    exists().where(
                        EngagementContract.organization_id == Contract.organization_id,
                        EngagementContract.engagement_id == Engagement.id,
                        EngagementContract.contract_id == Contract.id,
                    ),
                ),
            )
            .correlate(Contract),
            Engagement.id,
            id=Engagement.id,
            name=Engagement.name,
            status=Engagement.status,
        )
    },
    filters={
        "status": among(Contract.status),
        "engagement_id": Filter(works_under, Engagement.id.type),
        "client_company_id": equals(Contract.client_company_id),
        "contact_id": equals(Contract.contact_id),
        "deal_id": equals(Contract.deal_id),
        "proposal_id": equals(Contract.proposal_id),
        "ends_from": from_on(Contract.end_date),
        "ends_until": up_to(Contract.end_date),
        # Asked for, its condition stands by itself, so that an index serves it.
        "ending_soon": Filter(lambda value: and_(IS_ENDING_SOON, value), Boolean()),
    },
    sorts={"end_date": days_last(Contract.end_date)},
    deferred=("content",),
)

CONTRACTS_OF_ENGAGEMENT = replace(
    CONTRACTS,
    filters={"status": CONTRACTS.filters["status"]},
    within={
        "engagement_id": Filter(
            lambda value: and_(
                works_under(value),
                exists().where(Engagement.id == value, Engagement.deleted_at.is_(None)),
            ),
            Engagement.id.type,
        )
    },
)
