"""What a service's template puts into the project that delivers it (rulings.md, *Templates*)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.catalog import ProjectTemplateMilestone, ProjectTemplateTask, Service
from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.projects import Milestone, Project, Task
from webapp.services.common.writes import today


def planned(projects: Sequence[Project]) -> list[Milestone | Task]:
    """The milestones and tasks of each project's service's template, due from today on.

    Neither they nor the projects need be inserted yet.
    """
    services = {project.service_id for project in projects if project.service_id is not None}
    if not services:
        return []
    organization_id = current_organization_id()
    template_of: dict[UUID, UUID] = {
        service_id: template_id
        for service_id, template_id in db.session.execute(
            select(Service.id, Service.project_template_id).where(
                Service.organization_id == organization_id,
                Service.id.in_(services),
            )
        )
        if template_id is not None
    }
    if not template_of:
        return []
    milestones = _by_template(ProjectTemplateMilestone, set(template_of.values()))
    tasks = _by_template(ProjectTemplateTask, set(template_of.values()))
    made: list[Milestone | Task] = []
    for project in projects:
        template_id = template_of.get(project.service_id) if project.service_id else None
        if template_id is None:
            continue
        milestone_ids = {milestone.id: uuid7() for milestone in milestones[template_id]}
        made += [
            Milestone(
                id=milestone_ids[milestone.id],
                project_id=project.id,
                name=milestone.name,
                due_date=_due(milestone.due_offset_days),
                position=milestone.position,
            )
            for milestone in milestones[template_id]
        ]
        made += [
            Task(
                project_id=project.id,
                milestone_id=milestone_ids.get(task.milestone_id),
                name=task.name,
                description=task.description,
                priority=task.priority,
                due_date=_due(task.due_offset_days),
                position=task.position,
            )
            for task in tasks[template_id]
        ]
    return made


def _by_template(model: Any, template_ids: set[UUID]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in db.session.scalars(
        select(model)
        .where(
            model.organization_id == current_organization_id(),
            model.project_template_id.in_(template_ids),
        )
        .order_by(model.position, model.id)
    ):
        found[row.project_template_id].append(row)
    return found


def _due(offset_days: int | None) -> dt.date | None:
    return None if offset_days is None else today() + dt.timedelta(days=offset_days)
