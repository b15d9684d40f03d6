"""How engagements are read."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Text, func, select

from models.conversations import Conversation
from models.engagements import Engagement, EngagementHealth
from models.projects import Project
from webapp.services.common.reads import Filter, RecordQuery, aggregate, among, days_last, equals
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
)

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
}

ENGAGEMENTS = RecordQuery(
    Engagement,
    domain="engagements",
    noun="engagement",
    extra=client_briefs(Engagement),
    # An engagement's answer always carries these (S 7b, S 7f).
    children={"projects": PROJECTS, "conversations": CONVERSATIONS},
    custom_fields="engagement",
    filters=FILTERS,
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
