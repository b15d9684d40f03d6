"""What a project template puts into a project (rulings.md, *Templates*)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.catalog import (
    MAX_DUE_OFFSET_DAYS,
    ProjectTemplate,
    ProjectTemplateMilestone,
    ProjectTemplateTask,
    Service,
)
from models.db.base import TenantRecord, db, uuid7
from models.db.tenancy import current_organization_id
from models.projects import Milestone, PhaseDueDate, Project, Task, TaskDependency
from webapp.services.common.exceptions import Invalid
from webapp.services.common.writes import today

# What is due after a later start could not be written down.
_LAST_START = dt.date.max - dt.timedelta(days=MAX_DUE_OFFSET_DAYS)


@dataclass(frozen=True)
class Template:
    """A plan: the days of its phases, its milestones and tasks in their order."""

    phases: Sequence[Mapping[str, Any]]
    milestones: Sequence[ProjectTemplateMilestone]
    tasks: Sequence[ProjectTemplateTask]

    def plan(
        self,
        project_id: UUID,
        starts_on: dt.date,
        *,
        milestones: dict[UUID, UUID] | None = None,
        tasks: dict[UUID, UUID] | None = None,
        first_position: int = 0,
        has_phase_dates: bool = False,
    ) -> list[TenantRecord]:
        """What the plan adds to a project, due from a day on; none of it is inserted yet.

        `milestones` and `tasks` are those the project has of it already, by their template's ids:
        they are not planned again. Phases are dated where the project has no date for any.
        """
        milestone_ids, task_ids = dict(milestones or {}), dict(tasks or {})
        new_milestones = [m for m in self.milestones if m.id not in milestone_ids]
        new_tasks = [task for task in self.tasks if task.id not in task_ids]
        milestone_ids |= {milestone.id: uuid7() for milestone in new_milestones}
        task_ids |= {task.id: uuid7() for task in new_tasks}
        by_name = {task.name: task_ids[task.id] for task in self.tasks}
        made: list[TenantRecord] = [
            PhaseDueDate(
                id=uuid7(),
                project_id=project_id,
                phase=each["phase"],
                due_date=starts_on + dt.timedelta(days=each["due_offset_days"]),
            )
            for each in self.phases
            if not has_phase_dates
        ]
        made += [
            Milestone(
                id=milestone_ids[milestone.id],
                project_id=project_id,
                template_milestone_id=milestone.id,
                name=milestone.name,
                due_date=_due(starts_on, milestone.due_offset_days),
                position=milestone.position,
            )
            for milestone in new_milestones
        ]
        made += [
            Task(
                id=task_ids[task.id],
                project_id=project_id,
                template_task_id=task.id,
                milestone_id=milestone_ids.get(task.milestone_id) if task.milestone_id else None,
                name=task.name,
                description=task.description,
                priority=task.priority,
                due_date=_due(starts_on, task.due_offset_days),
                estimate_minutes=task.estimate_minutes,
                blocks_phase=task.blocks_phase,
                position=first_position + n,
            )
            for n, task in enumerate(new_tasks)
        ]
        made += [
            TaskDependency(task_id=task_ids[task.id], depends_on_id=by_name[name])
            for task in new_tasks
            for name in task.depends_on
            if name in by_name
        ]
        return made


def planned(projects: Sequence[Project], starts_on: dt.date | None = None) -> list[TenantRecord]:
    """What each project's service's template adds to it, due from a day on, today by itself.

    Neither that nor the projects need be inserted yet.
    """
    services = {project.service_id for project in projects if project.service_id is not None}
    if not services:
        return []
    found = db.session.execute(
        select(Service.id, ProjectTemplate.id, ProjectTemplate.phases)
        .join(
            ProjectTemplate,
            (ProjectTemplate.organization_id == Service.organization_id)
            & (ProjectTemplate.id == Service.project_template_id),
        )
        .where(
            Service.organization_id == current_organization_id(),
            Service.id.in_(services),
            ProjectTemplate.deleted_at.is_(None),
        )
    ).all()
    if not found:
        return []
    template_of = {row[0]: row[1] for row in found}
    templates = templates_by_id({row[1]: row[2] for row in found})
    return [
        record
        for project in projects
        if project.service_id in template_of
        for record in templates[template_of[project.service_id]].plan(
            project.id, starts_on or today()
        )
    ]


def templates_by_id(phases: Mapping[UUID, Sequence[Mapping[str, Any]]]) -> dict[UUID, Template]:
    """The plans with these ids, whose phases are known already, in two statements."""
    milestones = _by_template(ProjectTemplateMilestone, phases)
    tasks = _by_template(ProjectTemplateTask, phases)
    return {id_: Template(phases[id_], milestones[id_], tasks[id_]) for id_ in phases}


def demand_start(starts_on: dt.date) -> None:
    """Raises Invalid naming `starts_on` when what is due after it could not be written down."""
    if starts_on > _LAST_START:
        raise Invalid({"starts_on": ["This is too far away."]})


def _by_template(model: Any, ids: Mapping[UUID, Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in db.session.scalars(
        select(model)
        .where(
            model.organization_id == current_organization_id(),
            model.project_template_id.in_(list(ids)),
        )
        .order_by(model.position, model.id)
    ):
        found[row.project_template_id].append(row)
    return found


def _due(starts_on: dt.date, offset_days: int | None) -> dt.date | None:
    return None if offset_days is None else starts_on + dt.timedelta(days=offset_days)
