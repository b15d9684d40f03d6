"""Milestones: the points in a project that its tasks lead up to (rulings.md, *Tasks*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from models.db.base import db, uuid7
from models.projects import Milestone, Project, Task
from webapp.services.common.writes import change, create, lock, now, trash
from webapp.services.projects.tasks import lock_for_work


def create_milestone(values: Mapping[str, Any], project_id: UUID) -> Milestone:
    """Set a milestone, the last one unless `position` says where.

    Raises NotFound, and Conflict when the project takes no new work.
    """
    values = _reached(values)
    project = lock_for_work(project_id)
    if "position" not in values:
        last = select(func.coalesce(func.max(Milestone.position) + 1, 0)).where(
            Milestone.organization_id == project.organization_id,
            Milestone.project_id == project.id,
            Milestone.deleted_at.is_(None),
        )
        values["position"] = db.session.scalars(last).one()
    milestone = Milestone(id=uuid7(), project_id=project.id, **values)
    return create(milestone, engagement_id=project.engagement_id)


def update_milestone(
    values: Mapping[str, Any],
    project_id: UUID,
    milestone_id: UUID,
    *,
    expected_row_version: int | None = None,
) -> Milestone:
    """Change a milestone; `reached` sets or clears its `completed_at`.

    Raises NotFound, StaleVersion.
    """
    project = lock(Project, project_id, share=True)
    milestone = lock(
        Milestone, milestone_id, expected_row_version=expected_row_version, project_id=project_id
    )
    if values.get("reached") and milestone.completed_at is not None:
        values = {name: value for name, value in values.items() if name != "reached"}
    change(milestone, _reached(values), engagement_id=project.engagement_id)
    return milestone


def trash_milestone(
    project_id: UUID, milestone_id: UUID, *, expected_row_version: int | None = None
) -> None:
    """Soft-delete a milestone; its tasks stay, without one. Raises NotFound, StaleVersion."""
    project = lock(Project, project_id)
    milestone = lock(
        Milestone, milestone_id, expected_row_version=expected_row_version, project_id=project_id
    )
    db.session.execute(
        update(Task)
        .where(Task.organization_id == milestone.organization_id, Task.milestone_id == milestone.id)
        .values(milestone_id=None)
        .execution_options(synchronize_session=False)
    )
    trash(milestone, engagement_id=project.engagement_id)


def _reached(values: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(values)
    if "reached" in values:
        values["completed_at"] = now() if values.pop("reached") else None
    return values
