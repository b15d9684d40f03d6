"""Custom fields: what an organization adds to its records (rulings.md, *Custom fields*)."""

from __future__ import annotations

from marshmallow import validate

from models.engagements import CUSTOM_FIELD_ENTITIES
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import PlainText
from webapp.schemas.custom_fields import CustomFieldChange, CustomFieldCreate, CustomFieldOut
from webapp.services.common.exceptions import Conflict
from webapp.services.custom_fields import definitions as service
from webapp.services.custom_fields.definitions import FIELDS

blueprint = ApiBlueprint(
    "custom_fields", "/api/custom-fields", description="What an organization adds to records."
)

custom_fields = Resource(
    blueprint,
    "custom_field",
    records=FIELDS,
    out=CustomFieldOut,
    filters={"entity_type": PlainText(validate=validate.OneOf(CUSTOM_FIELD_ENTITIES))},
)
custom_fields.list("List custom fields")
custom_fields.create(
    "Define a custom field", CustomFieldCreate, service.create_field, errors=(Conflict,)
)
custom_fields.retrieve("Retrieve a custom field")
custom_fields.update(
    "Change a custom field", CustomFieldChange, service.update_field, errors=(Conflict,)
)
custom_fields.delete("Archive a custom field", service.archive_field)
