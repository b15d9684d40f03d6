"""Projects (S 7c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from webargs.fields import DelimitedList

from models.states import PHASE, PROJECT
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import StateIn, reference
from webapp.schemas.projects import (
    AdvanceIn,
    PhasesOut,
    ProjectChange,
    ProjectCreate,
    ProjectOut,
    Rescheduled,
    RescheduleIn,
    ReturnIn,
)
from webapp.services.common.exceptions import Conflict, InvalidTransition
from webapp.services.projects import commands, rescheduling
from webapp.services.projects.phases import advance_project, phases_of, return_project
from webapp.services.projects.queries import PROJECTS

blueprint = ApiBlueprint(
    "projects", "/api/projects", description="The deliverables of an engagement."
)

projects = Resource(
    blueprint,
    "project",
    records=PROJECTS,
    out=ProjectOut,
    filters={
        "engagement_id": reference(allow_none=False),
        "status": DelimitedList(StateIn(PROJECT)),
        "phase": DelimitedList(StateIn(PHASE)),
        "service_id": reference(allow_none=False),
    },
)
projects.list("List projects")
projects.create("Create a project", ProjectCreate, commands.create_project)
projects.retrieve("Retrieve a project")
projects.update(
    "Update a project", ProjectChange, commands.update_project, errors=(InvalidTransition,)
)
projects.delete("Delete a project and what is below it", commands.trash_project)
projects.action(
    "advance",
    "Advance a project to its next phase",
    advance_project,
    body=AdvanceIn,
    errors=(InvalidTransition, Conflict),
)
projects.action(
    "return",
    "Take a project back from Testing to Build",
    return_project,
    body=ReturnIn,
    body_required=True,
    errors=(InvalidTransition,),
)


@blueprint.operation("GET", "/<uuid:project_id>/phases", permission="projects:read", out=PhasesOut)
def list_project_phases(project_id: UUID) -> Mapping[str, Any]:
    """List the phases a project went through, with their durations"""
    return phases_of(project_id)


@blueprint.operation(
    "POST",
    "/<uuid:project_id>/reschedule",
    permission="projects:write",
    body=RescheduleIn,
    out=Rescheduled,
    if_match=True,
    errors=(Conflict,),
)
def reschedule_project(
    body: Mapping[str, Any], *, expected_row_version: int | None, project_id: UUID
) -> Mapping[str, Any]:
    """Move a phase and those after it, with their open tasks and milestones"""
    return rescheduling.reschedule_project(
        body, project_id, expected_row_version=expected_row_version
    )


@blueprint.operation(
    "POST",
    "/<uuid:project_id>/reschedule/preview",
    permission="projects:write",
    body=RescheduleIn,
    out=Rescheduled,
    if_match=True,
    errors=(Conflict,),
)
def preview_reschedule_project(
    body: Mapping[str, Any], *, expected_row_version: int | None, project_id: UUID
) -> Mapping[str, Any]:
    """Tell what rescheduling would move"""
    return rescheduling.preview_reschedule(
        body, project_id, expected_row_version=expected_row_version
    )
