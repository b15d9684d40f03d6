"""The caller's organization and what it has set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from webapp.api.framework.operations import ApiBlueprint
from webapp.schemas.identity import OrganizationChange, OrganizationOut
from webapp.services.common.exceptions import Conflict
from webapp.services.identity import organization as service

blueprint = ApiBlueprint(
    "organization", "/api/organization", description="The firm itself, and how it works."
)


@blueprint.operation("GET", "", permission="identity:read", out=OrganizationOut, has_etag=True)
def get_organization() -> Mapping[str, Any]:
    """Retrieve your organization with its settings"""
    return service.organization()


@blueprint.operation(
    "PUT",
    "",
    permission="identity:write",
    body=OrganizationChange,
    out=OrganizationOut,
    if_match=True,
    has_etag=True,
    errors=(Conflict,),
)
def update_organization(
    body: Mapping[str, Any], *, expected_row_version: int | None
) -> Mapping[str, Any]:
    """Change settings of your organization"""
    if not body:
        raise ValidationError("Name at least one field to change.")
    service.update_organization(body, expected_row_version=expected_row_version)
    return service.organization()
