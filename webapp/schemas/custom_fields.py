"""Custom-field definitions on the wire (rulings.md, *Custom fields*)."""

from __future__ import annotations

from marshmallow import fields, validate

from models.engagements import CUSTOM_FIELD_ENTITIES, CUSTOM_FIELD_TYPES
from webapp.schemas.common import Input, Moment, Output, PlainText, WholeNumber, flag, name

_BY_TYPE = {"x-depends-on": "type"}


class CustomFieldChange(Input):
    """What may be changed; values that records have are converted to another type."""

    label = name()
    type = PlainText(validate=validate.OneOf(CUSTOM_FIELD_TYPES))
    required = flag()
    options = fields.List(
        PlainText(validate=validate.Length(1, 255)),
        validate=validate.Length(max=200),
        metadata=_BY_TYPE,
    )
    default = fields.Raw(allow_none=True, metadata=_BY_TYPE)
    position = WholeNumber(validate=validate.Range(0, 10_000))
    archived = flag(metadata=_BY_TYPE)


class CustomFieldCreate(CustomFieldChange):
    """`key` names the field in `custom_fields` and stays."""

    entity_type = PlainText(required=True, validate=validate.OneOf(CUSTOM_FIELD_ENTITIES))
    key = PlainText(
        required=True,
        validate=[
            validate.Length(1, 64),
            validate.Regexp(
                r"^[a-z][a-z0-9_]*$(?!\n)",
                error="Send lower-case letters, digits and underscores, a letter first.",
            ),
        ],
        metadata={"examples": ["budget_code"]},
    )
    label = name(required=True)
    type = PlainText(required=True, validate=validate.OneOf(CUSTOM_FIELD_TYPES))


class CustomFieldOut(Output):
    id = fields.UUID()
    entity_type = fields.String()
    key = fields.String()
    label = fields.String()
    type = fields.String(attribute="field_type")
    required = fields.Boolean()
    options = fields.List(fields.String())
    default = fields.Raw(attribute="default_value", allow_none=True)
    position = fields.Integer()
    archived_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
