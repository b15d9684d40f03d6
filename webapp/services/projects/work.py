"""How tasks and milestones are read."""

from __future__ import annotations

from sqlalchemy import Boolean, Date, cast, func, literal_column, select
from sqlalchemy.orm import aliased

from models.identity import Organization, User
from models.projects import Milestone, Project, Task, TaskDependency
from webapp.services.common.reads import (
    Filter,
    RecordQuery,
    aggregate,
    among,
    brief,
    days_last,
    equals,
    from_on,
    up_to,
)

_Other = aliased(Task, name="other")
_IS_OPEN = (Task.status != "completed") & (Task.status != "cancelled")
_WAITS_FOR = (
    select(_Other)
    .join(
        TaskDependency,
        (TaskDependency.organization_id == _Other.organization_id)
        & (TaskDependency.depends_on_id == _Other.id),
    )
    .where(
        TaskDependency.organization_id == Task.organization_id,
        TaskDependency.task_id == Task.id,
        _Other.deleted_at.is_(None),
    )
    .correlate(Task)
)
IS_BLOCKED = _IS_OPEN & (
    _WAITS_FOR.where(_Other.status != "completed", _Other.status != "cancelled").exists()
)
_TODAY = (
    select(cast(func.timezone(Organization.timezone, func.now()), Date))
    .where(Organization.id == Task.organization_id)
    .correlate(Task)
    .scalar_subquery()
)
IS_OVERDUE = func.coalesce(_IS_OPEN & (Task.due_date < _TODAY), False)
# Users belong to no tenant; row-level security shows the organization's members.
_ASSIGNEE = (
    select(
        func.json_build_object(literal_column("'id'"), User.id, literal_column("'name'"), User.name)
    )
    .where(User.id == Task.assignee_id)
    .correlate(Task)
    .scalar_subquery()
)

MILESTONES = RecordQuery(
    Milestone,
    domain="projects",
    noun="milestone",
    within={"project_id": equals(Milestone.project_id)},
    sorts={"position": Milestone.position},
)

TASKS = RecordQuery(
    Task,
    domain="projects",
    noun="task",
    extra={
        "project": brief(
            Project, Task.project_id, name=Project.name, phase=Project.phase, status=Project.status
        ),
        "assignee": _ASSIGNEE,
        "is_blocked": IS_BLOCKED,
        "is_overdue": IS_OVERDUE,
    },
    children={
        "depends_on": aggregate(
            _WAITS_FOR,
            (_Other.position, _Other.id),
            id=_Other.id,
            name=_Other.name,
            status=_Other.status,
        )
    },
    filters={
        "project_id": equals(Task.project_id),
        "engagement_id": Filter(
            lambda value: Task.project_id.in_(
                select(Project.id).where(
                    Project.organization_id == Task.organization_id,
                    Project.engagement_id == value,
                    Project.deleted_at.is_(None),
                )
            ),
            Project.engagement_id.type,
        ),
        "milestone_id": equals(Task.milestone_id),
        "assignee_id": equals(Task.assignee_id),
        "status": among(Task.status),
        "blocked": Filter(lambda value: value == IS_BLOCKED, Boolean()),
        "overdue": Filter(lambda value: value == IS_OVERDUE, Boolean()),
        "due_from": from_on(Task.due_date),
        "due_until": up_to(Task.due_date),
    },
    sorts={"due_date": days_last(Task.due_date)},
)

# A project's own, in the order its people gave them.
PROJECT_TASKS = RecordQuery(
    Task,
    domain="projects",
    noun="task",
    extra=TASKS.extra,
    children=TASKS.children,
    filters={
        name: TASKS.filters[name]
        for name in ("milestone_id", "assignee_id", "status", "blocked", "overdue")
    },
    within={"project_id": equals(Task.project_id)},
    sorts={"position": Task.position},
)
