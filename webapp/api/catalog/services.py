"""Services: what the firm sells."""

from __future__ import annotations

from marshmallow import fields

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.catalog import ServiceChange, ServiceCreate, ServiceOut
from webapp.schemas.common import reference
from webapp.services.catalog import services as catalog
from webapp.services.catalog.services import SERVICES

blueprint = ApiBlueprint(
    "services", "/api/services", description="What the firm sells, at its list price."
)

services = Resource(
    blueprint,
    "service",
    records=SERVICES,
    out=ServiceOut,
    filters={
        "is_active": fields.Boolean(),
        "project_template_id": reference(allow_none=False),
    },
)
services.list("List services")
services.create("Create a service", ServiceCreate, catalog.create_service)
services.retrieve("Retrieve a service")
services.update("Update a service", ServiceChange, catalog.update_service)
services.delete("Delete a service", catalog.trash_service)
