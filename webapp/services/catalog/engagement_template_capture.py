"""An engagement template that is made from an engagement (rulings.md, *Templates*)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import InvoiceSchedule, OrderItem
from models.catalog import EngagementTemplate, Service
from models.conversations import Conversation
from models.db.base import db
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.portal import PortalAccess
from models.projects import Project
from webapp.services.catalog.engagement_templates import (
    create_template,
    currency_of,
    priced,
    total_of,
)
from webapp.services.catalog.template_schedules import relative
from webapp.services.common.writes import lock


def template_from_engagement(values: Mapping[str, Any], engagement_id: UUID) -> EngagementTemplate:
    """Make a template of what the engagement has: its projects at the prices they were sold for,
    their conversations, its first schedule, and whether a client may look in.

    Raises NotFound.
    """
    engagement = lock(Engagement, engagement_id, share=True)
    lines = _lines(engagement)
    currency = currency_of(engagement.currency)
    schedule = _schedule(engagement, total_of(priced(lines, currency)))
    looked_in = db.session.scalars(
        select(PortalAccess.id)
        .where(
            PortalAccess.organization_id == current_organization_id(),
            PortalAccess.engagement_id == engagement.id,
            PortalAccess.revoked_at.is_(None),
        )
        .limit(1)
    ).one_or_none()
    return create_template(
        {
            "name": engagement.name,
            "description": engagement.description,
            "currency": currency,
            **values,
            "services": lines,
            "schedule": schedule,
            "portal_access": looked_in is not None,
        }
    )


def _lines(engagement: Engagement) -> list[dict[str, Any]]:
    """The living projects, the oldest first, at the price of the first line that sold them.

    One that was not sold has its service's price, or none.
    """
    found = db.session.execute(
        select(Project, Service, OrderItem.price, OrderItem.quantity)
        .outerjoin(
            Service,
            (Service.organization_id == Project.organization_id)
            & (Service.id == Project.service_id)
            & Service.deleted_at.is_(None),
        )
        .outerjoin(
            OrderItem,
            (OrderItem.organization_id == Project.organization_id)
            & (OrderItem.project_id == Project.id),
        )
        .where(
            Project.organization_id == engagement.organization_id,
            Project.engagement_id == engagement.id,
            Project.deleted_at.is_(None),
        )
        .order_by(Project.id, OrderItem.position, OrderItem.id)
    ).all()
    subjects, currency = _subjects(engagement), currency_of(engagement.currency)
    lines: dict[UUID, dict[str, Any]] = {}
    for project, service, sold_for, quantity in found:
        own = subjects[project.id]
        of_service = service is not None and service.currency == currency
        price = Decimal("0.00") if sold_for is None and not of_service else sold_for
        lines.setdefault(
            project.id,
            {
                "service_id": service.id if service is not None else None,
                "name": project.name,
                "description": project.description,
                "price": price,
                "quantity": quantity or 1,
                # A project has one of its own name unless its line says otherwise.
                "conversations": [] if own == [project.name] else own,
            },
        )
    return list(lines.values())


def _subjects(engagement: Engagement) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    for project_id, subject in db.session.execute(
        select(Conversation.project_id, Conversation.subject)
        .join(
            Project,
            (Project.organization_id == Conversation.organization_id)
            & (Project.id == Conversation.project_id),
        )
        .where(
            Project.organization_id == engagement.organization_id,
            Project.engagement_id == engagement.id,
            Conversation.deleted_at.is_(None),
        )
        .order_by(Conversation.id)
    ):
        found[project_id].append(subject)
    return found


def _schedule(engagement: Engagement, total: Decimal) -> dict[str, Any] | None:
    schedule = db.session.scalars(
        select(InvoiceSchedule)
        .where(
            InvoiceSchedule.organization_id == engagement.organization_id,
            InvoiceSchedule.engagement_id == engagement.id,
        )
        .order_by(InvoiceSchedule.created_at, InvoiceSchedule.id)
        .limit(1)
    ).one_or_none()
    if schedule is None:
        return None
    first: dt.date = schedule.starts_on
    return relative(schedule, min(engagement.start_date or first, first), total)
