"""Projects (S 7c)."""

from __future__ import annotations

from webargs.fields import DelimitedList

from models.states import PHASE, PROJECT
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import StateIn, reference
from webapp.schemas.projects import AdvanceIn, ProjectChange, ProjectCreate, ProjectOut
from webapp.services.common.exceptions import InvalidTransition
from webapp.services.projects import commands
from webapp.services.projects.phases import advance_project
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
    errors=(InvalidTransition,),
)
