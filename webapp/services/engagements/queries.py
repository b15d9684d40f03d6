"""How engagements are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, and_, cast, exists, func, select

from models.billing import Invoice
from models.conversations import Conversation
from models.engagements import Engagement, EngagementContract, EngagementHealth
from models.projects import Project
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
from webapp.services.conversations.readers import unread_count
from webapp.services.crm.briefs import client_briefs
from webapp.services.crm.companies import COMPANIES
from webapp.services.crm.contacts import CONTACTS

PROJECTS = aggregate(
    select(Project)
    .where(
        Project.organization_id == Engagement.organization_id,
        Project.engagement_id == Engagement.id,
        Project.deleted_at.is_(None),
    )
    .correlate(Engagement),
    Project.id,
    id=Project.id,
    name=Project.name,
    phase=Project.phase,
    status=Project.status,
)
CONVERSATIONS = aggregate(
    select(Conversation)
    .join(
        Project,
        (Project.organization_id == Conversation.organization_id)
        & (Project.id == Conversation.project_id),
    )
    .where(
        Project.organization_id == Engagement.organization_id,
        Project.engagement_id == Engagement.id,
        Project.deleted_at.is_(None),
        Conversation.deleted_at.is_(None),
    )
    .correlate(Engagement),
    Conversation.id,
    id=Conversation.id,
    project_id=Conversation.project_id,
    subject=Conversation.subject,
    status=Conversation.status,
    last_message_at=Conversation.last_message_at,
    unread_count=unread_count(),
)

# What closing an engagement leaves to be sent or thrown away.
DRAFT_INVOICES = aggregate(
    select(Invoice)
    .where(
        Invoice.organization_id == Engagement.organization_id,
        Invoice.engagement_id == Engagement.id,
        Invoice.status == "draft",
    )
    .correlate(Engagement),
    Invoice.id,
    id=Invoice.id,
    currency=Invoice.currency,
    total=cast(Invoice.total, Text),
    period=Invoice.period,
)

_LAST = "\U0010ffff"  # no character comes after it


def _works_under(contract_id: Any) -> ColumnElement[bool]:
    linked = select(EngagementContract.engagement_id).where(
        EngagementContract.contract_id == contract_id
    )
    own = select(Engagement.id).where(Engagement.contract_id == contract_id)
    return Engagement.id.in_(linked.union(own))


def _has_active_projects(wanted: Any) -> ColumnElement[bool]:
    active = exists().where(
        Project.organization_id == Engagement.organization_id,
        Project.engagement_id == Engagement.id,
        Project.status == "active",
        Project.deleted_at.is_(None),
    )
    condition: ColumnElement[bool] = active == wanted
    return condition


def _named(beginning: Any) -> ColumnElement[bool]:
    """Names that begin so, in any letter case. A range of bytes, which an index serves."""
    first = func.lower(beginning)
    return and_(Engagement.name_key >= first, Engagement.name_key < first.concat(_LAST))


FILTERS = {
    "status": among(Engagement.status),
    "client_company_id": equals(Engagement.client_company_id),
    "contact_id": equals(Engagement.contact_id),
    "deal_id": equals(Engagement.deal_id),
    "owner_id": equals(Engagement.owner_id),
    "health": among(Engagement.health),
    "health_reason": Filter(
        lambda value: (
            select(EngagementHealth.id)
            .where(
                EngagementHealth.organization_id == Engagement.organization_id,
                EngagementHealth.engagement_id == Engagement.id,
                EngagementHealth.reasons.contains(
                    func.jsonb_build_array(func.jsonb_build_object("kind", value))
                ),
            )
            .exists()
        ),
        Text(),
    ),
    "contract_id": Filter(_works_under, Engagement.id.type),
    "has_active_projects": Filter(_has_active_projects, Boolean()),
    "q": Filter(_named, Text()),
    "created_from": from_on(Engagement.created_at),
    "created_until": up_to(Engagement.created_at),
    "closed_from": from_on(Engagement.closed_at),
    "closed_until": up_to(Engagement.closed_at),
    # The days themselves, not `days_last`: under row-level security the planner does not know how
    # the values of an expression are spread, and would rather read the list in its order.
    "starts_from": from_on(Engagement.start_date),
    "starts_until": up_to(Engagement.start_date),
    "ends_from": from_on(Engagement.end_date),
    "ends_until": up_to(Engagement.end_date),
}

ENGAGEMENTS = RecordQuery(
    Engagement,
    domain="engagements",
    noun="engagement",
    extra=client_briefs(Engagement),
    # An engagement's answer always carries these (S 7b, S 7f).
    children={
        "projects": PROJECTS,
        "conversations": CONVERSATIONS,
        "draft_invoices": DRAFT_INVOICES,
    },
    custom_fields="engagement",
    filters=FILTERS,
    deferred=("name_key",),
    sorts={
        "name": Engagement.name,
        "health": Engagement.health,
        "start_date": days_last(Engagement.start_date),
        "end_date": days_last(Engagement.end_date),
    },
    expandable={
        "client_company": ("client_company_id", COMPANIES),
        "contact": ("contact_id", CONTACTS),
    },
)
TRASHED_ENGAGEMENTS = replace(ENGAGEMENTS, keep_deleted=True)
