"""How projects are started, changed and trashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from models.catalog import Service
from models.conversations import Conversation, Message
from models.db.base import TenantRecord, uuid7
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.projects import Milestone, Project, Task
from models.states import PROJECT
from webapp.services.common.exceptions import Invalid
from webapp.services.common.writes import (
    Below,
    change,
    check_values,
    create,
    lock,
    move,
    now,
    trash,
    trash_below,
)
from webapp.services.engagements.state_rules import refuse_if_over
from webapp.services.projects.phases import keep_step, move_phase

REFERENCES: dict[str, type[TenantRecord]] = {"engagement_id": Engagement, "service_id": Service}


def create_project(values: Mapping[str, Any]) -> Project:
    """Start a project in an engagement, at Kickoff unless `phase` says where it is.

    Raises Invalid naming the fields, and Conflict when the engagement is closed or cancelled.
    """
    custom = check_values(values, REFERENCES, custom_fields="project", creating=True)
    # Shared: projects may start side by side, but nobody closes the engagement meanwhile.
    engagement = lock(Engagement, values["engagement_id"], share=True)
    refuse_if_over(engagement, "takes no new projects")
    project = Project(**{**values, "custom_fields": custom or {}})
    if project.status == "completed":
        project.completed_at = now()
    create(project)
    keep_step(project, None)
    return project


def update_project(
    values: Mapping[str, Any], project_id: UUID, *, expected_row_version: int | None = None
) -> Project:
    """Change a project; a new status or phase moves it along its machine.

    Raises NotFound, StaleVersion, Invalid naming the fields, InvalidTransition, and Conflict naming
    the open tasks that block the next phase.
    """
    values = dict(values)
    project = lock(Project, project_id, expected_row_version=expected_row_version)
    status = values.pop("status", project.status)
    phase = values.pop("phase", project.phase)
    reason = values.pop("reason", None)
    check_values(values, REFERENCES, custom_fields="project")
    start = values.get("start_date", project.start_date)
    due = values.get("due_date", project.due_date)
    if start and due and due < start:
        raise Invalid({"due_date": ["This must not be before start_date."]})
    change(project, values)
    # The phase moves only while the project is Active: before it stops being so, or after it
    # has become so.
    if status == "active" and status != project.status:
        _move(project, status, reason)
    if phase != project.phase:
        move_phase(project, phase, reason=reason)
    if status != project.status:
        _move(project, status, reason)
    return project


def trash_project(project_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a project and what is below it, as one batch. Raises NotFound, StaleVersion."""
    project = lock(Project, project_id, expected_row_version=expected_row_version)
    batch_id = uuid7()
    trash(project, batch_id=batch_id)
    this = select(Project.id).where(
        Project.organization_id == current_organization_id(), Project.id == project_id
    )
    trash_below(below_projects(this), batch_id)


def below_projects(projects: Select[UUID]) -> list[Below]:
    """What goes with these projects (a query for their ids) when they are trashed.

    From the top down: what is written below a row that is marked meanwhile waits for it, and is
    found by the next statement.
    """
    organization_id = current_organization_id()
    conversations = select(Conversation.id).where(
        Conversation.organization_id == organization_id, Conversation.project_id.in_(projects)
    )
    return [
        (
            Conversation,
            (Conversation.organization_id == organization_id)
            & Conversation.project_id.in_(projects),
        ),
        (
            Message,
            (Message.organization_id == organization_id)
            & Message.conversation_id.in_(conversations),
        ),
        (Task, (Task.organization_id == organization_id) & Task.project_id.in_(projects)),
        (
            Milestone,
            (Milestone.organization_id == organization_id) & Milestone.project_id.in_(projects),
        ),
    ]


def _move(project: Project, status: str, reason: str | None) -> None:
    """Move a locked project; `completed_at` follows (rulings.md, *Project states*)."""
    moment = now()
    if PROJECT.allows(project.status, status):
        project.completed_at = moment if status == "completed" else None
    move(project, PROJECT, status, reason=reason)
