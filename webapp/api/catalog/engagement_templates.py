"""Engagement templates: what is sold together, and how it is invoiced (rulings.md, *Templates*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.db.tenancy import current_principal
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.auth.permissions import demand
from webapp.http.responses import ApiResponse
from webapp.schemas.engagement_templates import (
    EngagementTemplateChange,
    EngagementTemplateCreate,
    EngagementTemplateMade,
    EngagementTemplateOut,
    EngagementTemplateUse,
)
from webapp.services.catalog import engagement_template_use as use
from webapp.services.catalog import engagement_templates as service
from webapp.services.catalog.engagement_templates import ENGAGEMENT_TEMPLATES
from webapp.services.common.exceptions import Conflict, Forbidden

blueprint = ApiBlueprint(
    "engagement_templates",
    "/api/engagement-templates",
    description="What is sold together: a proposal or an engagement to begin with.",
)

templates = Resource(
    blueprint, "engagement_template", records=ENGAGEMENT_TEMPLATES, out=EngagementTemplateOut
)
templates.list("List engagement templates")
templates.create("Create an engagement template", EngagementTemplateCreate, service.create_template)
templates.retrieve("Retrieve an engagement template with its services")
templates.update("Update an engagement template", EngagementTemplateChange, service.update_template)
templates.delete("Delete an engagement template", service.trash_template)


@blueprint.operation(
    "POST",
    "/<uuid:engagement_template_id>/apply",
    permission="engagements:write",
    body=EngagementTemplateUse,
    out=EngagementTemplateMade,
    status=201,
    if_match=True,
    errors=(Conflict, Forbidden),
)
def apply_engagement_template(
    body: Mapping[str, Any], *, expected_row_version: int | None, engagement_template_id: UUID
) -> ApiResponse:
    """Make a draft proposal of the template, or open an engagement with all below it"""
    _demand_right(body)
    made = use.apply_template(
        body, engagement_template_id, expected_row_version=expected_row_version
    )
    target = made["target"]
    headers = {"Location": f"/api/{target}s/{made[target]['id']}"}
    return ApiResponse(201, EngagementTemplateMade().dump(made), headers)


@blueprint.operation(
    "POST",
    "/<uuid:engagement_template_id>/preview",
    permission="engagements:write",
    body=EngagementTemplateUse,
    out=EngagementTemplateMade,
    if_match=True,
    errors=(Conflict, Forbidden),
)
def preview_engagement_template(
    body: Mapping[str, Any], *, expected_row_version: int | None, engagement_template_id: UUID
) -> Mapping[str, Any]:
    """Tell what applying the template would make"""
    _demand_right(body)
    return use.preview_template(
        body, engagement_template_id, expected_row_version=expected_row_version
    )


def _demand_right(body: Mapping[str, Any]) -> None:
    if body["target"] == "proposal":
        demand(current_principal(), "sales:write")
