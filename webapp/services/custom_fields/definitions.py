"""Custom fields: defined, changed with their values, archived (rulings.md, *Custom fields*)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import orjson

from models.crm import ClientCompany, Contact, Deal
from models.db.base import db, uuid7
from models.db.queries import Row, execute
from models.db.tenancy import current_organization_id
from models.engagements import CustomFieldDefinition, Engagement
from models.projects import Project
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.reads import RecordQuery, equals
from webapp.services.common.writes import change, create, lock, now, refuse_duplicate, touch
from webapp.services.custom_fields.validation import fits

FIELDS = RecordQuery(
    CustomFieldDefinition,
    domain="identity",
    noun="custom field",
    filters={"entity_type": equals(CustomFieldDefinition.entity_type)},
)
ENTITIES: dict[str, Any] = {
    "engagement": Engagement,
    "project": Project,
    "deal": Deal,
    "contact": Contact,
    "company": ClientCompany,
}
WITH_OPTIONS = ("choice", "choices")
# So many of the records that stand in the way are named.
NAMED = 10

# What a value becomes under another type; what is not here stays as it is, and must fit.
CONVERSIONS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("number", "text"): lambda value: f"{value:g}" if isinstance(value, float) else str(value),
    ("boolean", "text"): lambda value: "true" if value else "false",
    ("choice", "choices"): lambda value: [value],
    ("choices", "choice"): lambda value: value[0] if len(value) == 1 else value,
    ("choices", "text"): ", ".join,
    ("number", "money"): lambda value: f"{value:.2f}" if value >= 0 else value,
    ("money", "number"): float,
}


def create_field(values: Mapping[str, Any]) -> CustomFieldDefinition:
    """Define a custom field. Raises Invalid naming the fields, and Conflict for a key in use."""
    values = dict(values)
    values.pop("archived", None)
    field = CustomFieldDefinition(id=uuid7(), **_columns(values))
    _check(field)
    taken = "This kind of record has a custom field with this key."
    with refuse_duplicate(
        "uq_custom_field_definitions_organization_id_entity_type_key", "key", taken
    ):
        return create(field)


def update_field(
    values: Mapping[str, Any], custom_field_id: UUID, *, expected_row_version: int | None = None
) -> CustomFieldDefinition:
    """Change a field; values that records have are converted to another type, or all stays.

    Raises NotFound, StaleVersion, Invalid naming the fields, and Conflict naming the records whose
    values stand in the way.
    """
    values = _columns(values)
    field = lock(CustomFieldDefinition, custom_field_id, expected_row_version=expected_row_version)
    before = field.field_type
    if "archived_at" in values and values["archived_at"] and field.archived_at:
        values["archived_at"] = field.archived_at
    change(field, values)
    _check(field)
    if not {"field_type", "options"}.isdisjoint(values):
        _convert(field, before)
    return field


def archive_field(custom_field_id: UUID, *, expected_row_version: int | None = None) -> None:
    """DELETE: archive it; its values stay, and it is asked for no more. Raises NotFound."""
    field = lock(CustomFieldDefinition, custom_field_id, expected_row_version=expected_row_version)
    if field.archived_at is None:
        field.archived_at = now()
        touch(field)
        record_activity(field, "archived")


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the names of their columns."""
    values = dict(values)
    for wire, column in (("type", "field_type"), ("default", "default_value")):
        if wire in values:
            values[column] = values.pop(wire)
    if "archived" in values:
        values["archived_at"] = now() if values.pop("archived") else None
    return values


def _check(field: CustomFieldDefinition) -> None:
    errors: dict[str, list[str]] = {}
    options = field.options or []
    if (field.field_type in WITH_OPTIONS) != bool(options):
        has = "needs options" if field.field_type in WITH_OPTIONS else "has no options"
        errors["options"] = [f"A field of the type {field.field_type} {has}."]
    if len(set(options)) != len(options):
        errors["options"] = ["Name each option once."]
    if field.default_value is not None and not fits(_definition(field), field.default_value):
        errors["default"] = [f"This does not fit a field of the type {field.field_type}."]
    if errors:
        raise Invalid(errors)


def _definition(field: CustomFieldDefinition) -> dict[str, Any]:
    return {"field_type": field.field_type, "options": field.options or []}


def _convert(field: CustomFieldDefinition, before: str) -> None:
    """Bring the values that records have under the field as it is now, all or none."""
    db.session.flush()
    table = ENTITIES[field.entity_type].__tablename__
    values = {"organization_id": current_organization_id(), "key": field.key}
    convert = CONVERSIONS.get((before, field.field_type), lambda value: value)
    wrong: list[Row] = []
    changes = []
    for row in execute(_HELD.format(table=table), values):
        converted = convert(row["value"])
        if not fits(_definition(field), converted):
            wrong.append(row)
        elif converted != row["value"]:
            changes.append((row["value"], converted))
    if wrong:
        count = sum(row["records"] for row in wrong)
        ids = [str(id_) for row in wrong for id_ in row["ids"]][:NAMED]
        raise Conflict(
            f"{count} records have a value that does not fit, such as {wrong[0]['value']!r}.",
            records=ids,
            count=count,
        )
    for old, new in changes:
        told = {"old": orjson.dumps(old).decode(), "new": orjson.dumps(new).decode()}
        execute(_REPLACE.format(table=table), {**values, **told})


# Both with a table of ENTITIES. The trashed ones too: they may be restored.
_HELD = """
    SELECT custom_fields -> %(key)s AS value, count(*) AS records,
           (array_agg(id ORDER BY id))[1:10] AS ids
    FROM {table} WHERE organization_id = %(organization_id)s
      AND custom_fields ? %(key)s AND custom_fields -> %(key)s <> 'null'
    GROUP BY 1"""
_REPLACE = """
    UPDATE {table} SET custom_fields = jsonb_set(custom_fields, ARRAY[%(key)s], %(new)s::jsonb),
           row_version = row_version + 1, updated_at = now()
    WHERE organization_id = %(organization_id)s AND custom_fields -> %(key)s = %(old)s::jsonb"""
