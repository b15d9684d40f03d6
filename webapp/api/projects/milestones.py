"""Milestones of a project (rulings.md, *Tasks*)."""

from __future__ import annotations

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.work import MilestoneChange, MilestoneCreate, MilestoneOut
from webapp.services.common.exceptions import Conflict
from webapp.services.projects import milestones as service
from webapp.services.projects.queries import PROJECTS
from webapp.services.projects.work import MILESTONES

blueprint = ApiBlueprint(
    "milestones",
    "/api/projects/<uuid:project_id>/milestones",
    description="The points in a project that its tasks lead up to.",
)

milestones = Resource(blueprint, "milestone", records=MILESTONES, out=MilestoneOut)
milestones.list("List a project's milestones", prepare=lambda project_id: PROJECTS.get(project_id))
milestones.create("Set a milestone", MilestoneCreate, service.create_milestone, errors=(Conflict,))
milestones.retrieve("Retrieve a milestone")
milestones.update("Update a milestone", MilestoneChange, service.update_milestone)
milestones.delete("Delete a milestone", service.trash_milestone)
