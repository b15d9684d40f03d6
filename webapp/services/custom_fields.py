"""Custom fields: an organization's own definitions check what records carry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from models.base import db
from models.engagements import CustomFieldDefinition
from models.tenancy import current_organization_id
from webapp.services.exceptions import Invalid


def check_custom_fields(
    entity_type: str, values: Mapping[str, Any] | None, *, creating: bool = False
) -> None:
    """Check `values` against the organization's definitions for `entity_type`.

    Raises Invalid naming `custom_fields.<key>` for an unknown key, a value of the wrong type, a
    choice that is none of the options, or a required field left out (product.md, *Custom fields*).
    """
    if values is None and not creating:
        return
    definitions = {
        definition.key: definition
        for definition in db.session.scalars(
            select(CustomFieldDefinition).where(
                CustomFieldDefinition.organization_id == current_organization_id(),
                CustomFieldDefinition.entity_type == entity_type,
            )
        )
    }
    values = values or {}
    errors: dict[str, list[str]] = {}
    for key, value in values.items():
        definition = definitions.get(key)
        if definition is None:
            errors[f"custom_fields.{key}"] = ["There is no such custom field."]
        elif value is not None and not _fits(definition, value):
            wanted = definition.field_type
            if definition.options:
                wanted += f" out of {', '.join(map(str, definition.options))}"
            errors[f"custom_fields.{key}"] = [f"This must be a {wanted}."]
    for key, definition in definitions.items():
        if definition.required and values.get(key) is None:
            errors[f"custom_fields.{key}"] = ["This field is required."]
    if errors:
        raise Invalid(errors)


def _fits(definition: CustomFieldDefinition, value: Any) -> bool:
    match definition.field_type:
        case "text":
            return isinstance(value, str) and len(value) <= 20_000 and "\0" not in value
        case "number":
            # Beyond 2**53 numbers are no longer the same in every language that reads JSON.
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and abs(value) <= 2**53
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _is_day(value)
        case "select":
            return value in definition.options
        case "multiselect":
            return isinstance(value, list) and all(one in definition.options for one in value)
    return False


def _is_day(value: str) -> bool:
    try:
        return len(value) == 10 and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False
