"""Tasks: a project's own, and over all projects (rulings.md, *Tasks*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields
from webargs.fields import DelimitedList

from models.states import TASK
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import Day, StateIn, reference
from webapp.schemas.work import TaskChange, TaskCreate, TaskMove, TaskOut
from webapp.services.common.exceptions import Conflict, InvalidTransition
from webapp.services.projects import tasks as service
from webapp.services.projects.queries import PROJECTS
from webapp.services.projects.work import PROJECT_TASKS, TASKS

blueprint = ApiBlueprint("tasks", "/api/tasks", description="The work, over all projects.")
project_blueprint = ApiBlueprint(
    "project_tasks",
    "/api/projects/<uuid:project_id>/tasks",
    description="The work of one project, in its order.",
)

_OF_ONE: dict[str, fields.Field[Any]] = {
    "milestone_id": reference(allow_none=False),
    "assignee_id": reference(allow_none=False),
    "status": DelimitedList(StateIn(TASK)),
    "blocked": fields.Boolean(),
    "overdue": fields.Boolean(),
}

project_tasks = Resource(
    project_blueprint,
    "project_task",
    records=PROJECT_TASKS,
    out=TaskOut,
    filters=_OF_ONE,
    home="/api/tasks",
)
project_tasks.list("List a project's tasks", prepare=lambda project_id: PROJECTS.get(project_id))
project_tasks.create("Plan a task", TaskCreate, service.create_task, errors=(Conflict,))

tasks = Resource(
    blueprint,
    "task",
    records=TASKS,
    out=TaskOut,
    filters={
        **_OF_ONE,
        "project_id": reference(allow_none=False),
        "engagement_id": reference(allow_none=False),
        "due_from": Day(),
        "due_until": Day(),
    },
)
tasks.list("List tasks over all projects")
tasks.retrieve("Retrieve a task with what it waits for")
tasks.update("Update a task", TaskChange, service.update_task, errors=(InvalidTransition, Conflict))
tasks.delete("Delete a task", service.trash_task)


def _move(values: Mapping[str, Any], task_id: UUID, **given: Any) -> Any:
    if not values:
        raise ValidationError("Say where: a position, a status, or both.")
    return service.move_task(values, task_id, **given)


tasks.action(
    "move",
    "Put a task at another place or into another state",
    _move,
    body=TaskMove,
    body_required=True,
    errors=(InvalidTransition, Conflict),
)
