"""Engagements (S 7b; rulings.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields, validate
from webargs.fields import DelimitedList

from models.engagements import HEALTH
from models.states import ENGAGEMENT
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.http.responses import ApiResponse
from webapp.schemas.common import NAME_LENGTH, Day, Moment, PlainText, StateIn, reference
from webapp.schemas.engagement_templates import EngagementTemplateOut, TemplateFromEngagement
from webapp.schemas.engagements import (
    EngagementChange,
    EngagementCreate,
    EngagementOut,
    HealthOut,
    LegalHoldIn,
)
from webapp.services.catalog.engagement_template_capture import template_from_engagement
from webapp.services.catalog.engagement_templates import ENGAGEMENT_TEMPLATES
from webapp.services.common.exceptions import Conflict, InvalidTransition, NotFound
from webapp.services.engagements import commands
from webapp.services.engagements.health import health_of
from webapp.services.engagements.health_rules import REASONS
from webapp.services.engagements.legal_hold import set_legal_hold
from webapp.services.engagements.queries import ENGAGEMENTS, TRASHED_ENGAGEMENTS

blueprint = ApiBlueprint(
    "engagements", "/api/engagements", description="The hub of the work for a client."
)

engagements = Resource(
    blueprint,
    "engagement",
    records=ENGAGEMENTS,
    out=EngagementOut,
    trash=True,
    filters={
        "status": DelimitedList(StateIn(ENGAGEMENT)),
        "client_company_id": reference(allow_none=False),
        "contact_id": reference(allow_none=False),
        "deal_id": reference(allow_none=False),
        "owner_id": PlainText(validate=validate.Length(1, NAME_LENGTH)),
        "health_reason": PlainText(validate=validate.OneOf(REASONS)),
        "contract_id": reference(allow_none=False),
        "has_active_projects": fields.Boolean(truthy={"true"}, falsy={"false"}),
        "q": PlainText(
            validate=validate.Length(1, NAME_LENGTH),
            metadata={"description": "How the name begins, in any letter case."},
        ),
        "created_from": Moment(),
        "created_until": Moment(),
        "starts_from": Day(),
        "starts_until": Day(),
        "ends_from": Day(),
        "ends_until": Day(),
        "closed_from": Moment(),
        "closed_until": Moment(),
        "health": DelimitedList(PlainText(validate=validate.OneOf(HEALTH))),
    },
)
engagements.list("List engagements")
engagements.create("Create an engagement", EngagementCreate, commands.create_engagement)
engagements.retrieve("Retrieve an engagement with its projects and conversations")
engagements.update(
    "Update an engagement",
    EngagementChange,
    commands.update_engagement,
    errors=(InvalidTransition,),
)
engagements.action(
    "trash",
    "Trash an engagement with everything below it",
    commands.trash_engagement,
    records=TRASHED_ENGAGEMENTS,
)
engagements.action(
    "legal-hold",
    "Keep an engagement from the purge, or let it go again",
    set_legal_hold,
    body=LegalHoldIn,
    body_required=True,
    permission="identity:write",
    records=TRASHED_ENGAGEMENTS,
    errors=(Conflict,),
)
engagements.action("restore", "Take a trashed engagement back", commands.restore_engagement)


# So many draft invoices an answer without a body names; the list has all.
LINKED_DRAFTS = 20


@blueprint.operation(
    "DELETE",
    "/<uuid:engagement_id>",
    permission="engagements:write",
    status=204,
    if_match=True,
    errors=(InvalidTransition,),
)
def delete_engagement(*, expected_row_version: int | None, engagement_id: UUID) -> ApiResponse:
    """Close an engagement; `Link` names its draft invoices"""
    drafts = commands.close_engagement(engagement_id, expected_row_version=expected_row_version)
    links = [
        f'</api/invoices/{id_}>; rel="related"; title="draft invoice"'
        for id_ in drafts[:LINKED_DRAFTS]
    ]
    return ApiResponse(204, headers={"Link": ", ".join(links)} if links else {})


@blueprint.operation(
    "GET",
    "/<uuid:engagement_id>/health",
    permission="engagements:read",
    out=HealthOut,
    errors=(NotFound,),
)
def get_engagement_health(engagement_id: UUID) -> Mapping[str, Any]:
    """Tell how an engagement fares, since when and why"""
    return health_of(engagement_id)


@blueprint.operation(
    "POST",
    "/<uuid:engagement_id>/template",
    permission="catalog:write",
    body=TemplateFromEngagement,
    body_required=False,
    out=EngagementTemplateOut,
    status=201,
    errors=(NotFound,),
)
def make_engagement_template(body: Mapping[str, Any], engagement_id: UUID) -> ApiResponse:
    """Make an engagement template of what the engagement has"""
    template = template_from_engagement(body, engagement_id)
    made = EngagementTemplateOut().dump(ENGAGEMENT_TEMPLATES.get(template.id))
    return ApiResponse(201, made, {"Location": f"/api/engagement-templates/{template.id}"})
