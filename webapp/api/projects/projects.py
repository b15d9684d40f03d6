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
    ReturnIn,
)
from webapp.services.common.exceptions import Conflict, InvalidTransition
from webapp.services.projects import commands
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
