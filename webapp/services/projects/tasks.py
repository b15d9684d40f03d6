"""Tasks: planned, ordered, waiting for each other, worked on (rulings.md, *Tasks*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select

from models.conversations import Conversation
from models.db.base import TenantRecord, db, uuid7
from models.db.inserts import insert_records
from models.db.queries import execute
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.identity import Membership
from models.projects import Milestone, Project, Task, TaskDependency
from models.states import PROJECT, TASK
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid, NotFound
from webapp.services.common.writes import (
    change,
    check_values,
    create,
    lock,
    move,
    now,
    touch,
    trash,
)
from webapp.services.engagements.state_rules import refuse_if_over

REFERENCES: dict[str, type[TenantRecord]] = {
    "milestone_id": Milestone,
    "conversation_id": Conversation,
}
DONE = ("completed", "cancelled")


def create_task(values: Mapping[str, Any], project_id: UUID) -> Task:
    """Plan a task, the last one of its project unless `position` says where.

    Raises NotFound, Invalid naming the fields, and Conflict when the project or its engagement
    takes no new work.
    """
    values = dict(values)
    wanted, position = values.pop("depends_on", []), values.pop("position", None)
    # Exclusively: the tasks of a project are put in order, and wait for each other, one at a time.
    project = lock_for_work(project_id)
    check_task(values, project)
    last = select(func.coalesce(func.max(Task.position) + 1, 0)).where(*_of(project))
    task = Task(
        id=uuid7(), project_id=project.id, position=db.session.scalars(last).one(), **values
    )
    if task.status == "completed":
        task.completed_at = now()
    create(task, engagement_id=project.engagement_id)
    if wanted:
        _set_dependencies(task, wanted)
    if position is not None:
        _put(task, project, position)
    return task


def update_task(
    values: Mapping[str, Any], task_id: UUID, *, expected_row_version: int | None = None
) -> Task:
    """Change a task; `status` moves it along its machine, `depends_on` replaces what it waits for.

    Raises NotFound, StaleVersion, Invalid naming the fields, InvalidTransition, and Conflict
    naming the tasks that it still waits for.
    """
    values = dict(values)
    project, task = _lock(task_id, expected_row_version)
    status, wanted = values.pop("status", task.status), values.pop("depends_on", None)
    check_task(values, project)
    replaced = wanted is not None and set(wanted) != set(_waits_for(task.id))
    children = ("depends_on",) if replaced else ()
    change(task, values, children=children, engagement_id=project.engagement_id)
    if replaced:
        _set_dependencies(task, wanted or [])
    if status != task.status:
        _move(task, status, project)
    return task


def move_task(
    values: Mapping[str, Any], task_id: UUID, *, expected_row_version: int | None = None
) -> Task:
    """Put a task at a place among its project's, counted from 0, and into a state, as one change.

    Raises NotFound, StaleVersion, InvalidTransition, and Conflict as `update_task`.
    """
    project, task = _lock(task_id, expected_row_version)
    status = values.get("status", task.status)
    if status != task.status:
        _move(task, status, project)
    if "position" in values:
        _put(task, project, values["position"])
        touch(task)
        record_activity(
            task,
            "moved",
            engagement_id=project.engagement_id,
            metadata={"position": task.position},
        )
    return task


def trash_task(task_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a task; nobody waits for it any more. Raises NotFound, StaleVersion."""
    project, task = _lock(task_id, expected_row_version)
    trash(task, engagement_id=project.engagement_id)


def lock_for_work(project_id: UUID) -> Project:
    """The project, locked, if it takes new work. Raises NotFound, and Conflict naming its state."""
    project = lock(Project, project_id)
    if project.status in DONE:
        label = PROJECT.label(project.status)
        raise Conflict(f"The project is {label} and takes no new work.")
    engagement = lock(Engagement, project.engagement_id, share=True)
    refuse_if_over(engagement, "takes no new work")
    return project


def check_task(values: Mapping[str, Any], project: Project) -> None:
    """Raises Invalid naming what is not of this project or not a member of the organization."""
    check_values(values, REFERENCES)
    errors: dict[str, list[str]] = {}
    of_project: tuple[tuple[str, Any], ...] = (
        ("milestone_id", Milestone),
        ("conversation_id", Conversation),
    )
    for name, model in of_project:
        if values.get(name) is not None:
            owner = db.session.get_one(model, (project.organization_id, values[name]))
            if owner.project_id != project.id:
                errors[name] = ["This belongs to another project."]
    if values.get("assignee_id") is not None:
        member = select(Membership.id).where(
            Membership.organization_id == project.organization_id,
            Membership.user_id == values["assignee_id"],
            Membership.deleted_at.is_(None),
        )
        if db.session.scalars(member).one_or_none() is None:
            errors["assignee_id"] = ["No member of your organization has this id."]
    if errors:
        raise Invalid(errors)


def _lock(task_id: UUID, expected_row_version: int | None) -> tuple[Project, Task]:
    """The task and its project, the project first. Raises NotFound, StaleVersion."""
    found = select(Task.project_id).where(
        Task.organization_id == current_organization_id(),
        Task.id == task_id,
        Task.deleted_at.is_(None),
    )
    project_id = db.session.scalars(found).one_or_none()
    if project_id is None:
        raise NotFound("There is no task with this id.")
    project = lock(Project, project_id)
    return project, lock(Task, task_id, expected_row_version=expected_row_version)


def _move(task: Task, status: str, project: Project) -> None:
    """Move a locked task; one that waits for others is neither begun nor completed."""
    if status not in ("todo", "cancelled") and TASK.allows(task.status, status):
        waiting = db.session.scalars(
            select(Task.name)
            .join(
                TaskDependency,
                (TaskDependency.organization_id == Task.organization_id)
                & (TaskDependency.depends_on_id == Task.id),
            )
            .where(
                Task.organization_id == task.organization_id,
                TaskDependency.task_id == task.id,
                Task.deleted_at.is_(None),
                Task.status.not_in(DONE),
            )
            .order_by(Task.position)
        ).all()
        if waiting:
            raise Conflict(f"This task waits for: {', '.join(waiting)}.")
    if TASK.allows(task.status, status):
        task.completed_at = now() if status == "completed" else None
    move(task, TASK, status, engagement_id=project.engagement_id)


def _put(task: Task, project: Project, position: int) -> None:
    """Put the task at this place among the project's living tasks, and number them anew."""
    db.session.flush()
    others = list(
        db.session.scalars(
            select(Task.id)
            .where(*_of(project), Task.id != task.id)
            .order_by(Task.position, Task.id)
        )
    )
    position = min(position, len(others))
    others.insert(position, task.id)
    places = {id_: n for n, id_ in enumerate(others)}
    # The order is the project's: the others' own versions stay.
    execute(
        _PLACES,
        {
            "organization_id": project.organization_id,
            "ids": list(places),
            "places": list(places.values()),
        },
    )
    task.position = position


_PLACES = """
    UPDATE tasks t SET position = p.place
    FROM unnest(%(ids)s::uuid[], %(places)s::integer[]) AS p (id, place)
    WHERE t.organization_id = %(organization_id)s AND t.id = p.id AND t.position <> p.place"""


def _of(project: Project) -> tuple[Any, ...]:
    return (
        Task.organization_id == project.organization_id,
        Task.project_id == project.id,
        Task.deleted_at.is_(None),
    )


def _waits_for(task_id: UUID) -> Sequence[UUID]:
    return db.session.scalars(
        select(TaskDependency.depends_on_id).where(
            TaskDependency.organization_id == current_organization_id(),
            TaskDependency.task_id == task_id,
        )
    ).all()


def _set_dependencies(task: Task, wanted: Sequence[UUID]) -> None:
    """Let the task wait for these and no others. Raises Invalid naming what cannot be.

    The project is locked, so that no other change makes a circle of it at the same time.
    """
    known = set(
        db.session.scalars(
            select(Task.id).where(
                Task.organization_id == task.organization_id,
                Task.project_id == task.project_id,
                Task.deleted_at.is_(None),
            )
        )
    )
    errors = {}
    for n, id_ in enumerate(wanted):
        if id_ not in known:
            errors[f"depends_on.{n}"] = ["There is no task with this id in this project."]
        elif id_ == task.id or task.id in _reachable(id_):
            errors[f"depends_on.{n}"] = ["They would wait for each other."]
    if errors:
        raise Invalid(errors)
    db.session.execute(
        delete(TaskDependency)
        .where(
            TaskDependency.organization_id == task.organization_id,
            TaskDependency.task_id == task.id,
        )
        .execution_options(synchronize_session=False)
    )
    insert_records(
        [
            TaskDependency(id=uuid7(), task_id=task.id, depends_on_id=id_)
            for id_ in dict.fromkeys(wanted)
        ]
    )


def _reachable(task_id: UUID) -> set[UUID]:
    """All that a task waits for, however far away."""
    base = select(TaskDependency.depends_on_id.label("id")).where(
        TaskDependency.organization_id == current_organization_id(),
        TaskDependency.task_id == task_id,
    )
    found = base.cte("found", recursive=True)
    further = select(TaskDependency.depends_on_id).where(
        TaskDependency.organization_id == current_organization_id(),
        TaskDependency.task_id == found.c.id,
    )
    return set(db.session.scalars(select(found.union(further).c.id)))
