"""Project templates: the plans that projects start with (rulings.md, *Templates*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.catalog import (
    ProjectTemplateChange,
    ProjectTemplateCreate,
    ProjectTemplateOut,
    TemplateUse,
    TemplateUsed,
)
from webapp.services.catalog import project_templates as service
from webapp.services.catalog.project_templates import PROJECT_TEMPLATES
from webapp.services.common.exceptions import Conflict

blueprint = ApiBlueprint(
    "project_templates", "/api/project-templates", description="The plans projects start with."
)

templates = Resource(
    blueprint, "project_template", records=PROJECT_TEMPLATES, out=ProjectTemplateOut
)
templates.list("List project templates")
templates.create("Create a project template", ProjectTemplateCreate, service.create_template)
templates.retrieve("Retrieve a project template with its milestones and tasks")
templates.update("Update a project template", ProjectTemplateChange, service.update_template)
templates.delete("Delete a project template", service.trash_template)


@blueprint.operation(
    "POST",
    "/<uuid:project_template_id>/apply",
    permission="projects:write",
    body=TemplateUse,
    out=TemplateUsed,
    if_match=True,
    errors=(Conflict,),
)
def apply_project_template(
    body: Mapping[str, Any], *, expected_row_version: int | None, project_template_id: UUID
) -> Mapping[str, Any]:
    """Add to a project what it does not have of the template yet"""
    added = service.apply_template(
        body, project_template_id, expected_row_version=expected_row_version
    )
    return {"added": added}


@blueprint.operation(
    "POST",
    "/<uuid:project_template_id>/preview",
    permission="projects:write",
    body=TemplateUse,
    out=TemplateUsed,
    if_match=True,
    errors=(Conflict,),
)
def preview_project_template(
    body: Mapping[str, Any], *, expected_row_version: int | None, project_template_id: UUID
) -> Mapping[str, Any]:
    """Tell what applying the template would add to a project"""
    added = service.preview_template(
        body, project_template_id, expected_row_version=expected_row_version
    )
    return {"added": added}
