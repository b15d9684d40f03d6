"""Custom fields: an organization's own definitions check what records carry."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import String, case, select

from models.db.queries import bound
from models.engagements import CustomFieldDefinition
from webapp.services.common.reads import aggregate

_MONEY = re.compile(r"\d{1,10}\.\d{2}")
_URL = re.compile(r"https?://[^\s\x00-\x20\x7f-\xa0]+")

# The definitions for the kind of record that `entity_type` names, as a JSON list.
DEFINITIONS = aggregate(
    select(CustomFieldDefinition).where(
        CustomFieldDefinition.entity_type == bound("entity_type", String())
    ),
    CustomFieldDefinition.key,
    key=CustomFieldDefinition.key,
    field_type=CustomFieldDefinition.field_type,
    options=CustomFieldDefinition.options,
    required=CustomFieldDefinition.required & CustomFieldDefinition.archived_at.is_(None),
    default_value=case(
        (CustomFieldDefinition.archived_at.is_(None), CustomFieldDefinition.default_value)
    ),
)


def with_defaults(
    definitions: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of a new record: what is left out has its field's default, if there is one."""
    defaults = {
        definition["key"]: definition["default_value"]
        for definition in definitions
        if definition["default_value"] is not None
    }
    return {**defaults, **values}


def wrong_custom_fields(
    definitions: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
) -> dict[str, list[str]]:
    """What is wrong with `values`, by field (`custom_fields.<key>`); empty when nothing is.

    Wrong are an unknown key, a value of the wrong type, a choice that is none of the options,
    and a required field left out (rulings.md, *Custom fields*).
    """
    known = {definition["key"]: definition for definition in definitions}
    errors: dict[str, list[str]] = {}
    for key, value in values.items():
        definition = known.get(key)
        if definition is None:
            errors[f"custom_fields.{key}"] = ["There is no such custom field."]
        elif value is not None and not fits(definition, value):
            wanted, options = definition["field_type"], definition["options"]
            if options:
                wanted += f" out of {', '.join(map(str, options))}"
            errors[f"custom_fields.{key}"] = [f"This must be a {wanted}."]
    for key, definition in known.items():
        if definition["required"] and values.get(key) is None:
            errors[f"custom_fields.{key}"] = ["This field is required."]
    return errors


def fits(definition: Mapping[str, Any], value: Any) -> bool:
    """Whether the value is of the field's type and, of choices, among its options."""
    match definition["field_type"]:
        case "text":
            return isinstance(value, str) and len(value) <= 20_000 and _is_storable(value)
        case "number":
            # Beyond 2**53 numbers are no longer the same in every language that reads JSON.
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and abs(value) <= 2**53
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _is_day(value)
        case "choice":
            return isinstance(value, str) and value in definition["options"]
        case "choices":
            return isinstance(value, list) and all(one in definition["options"] for one in value)
        case "money":
            return isinstance(value, str) and bool(_MONEY.fullmatch(value))
        case "url":
            return isinstance(value, str) and len(value) <= 2048 and bool(_URL.fullmatch(value))
        case "user":
            return isinstance(value, str) and _is_id(value)
    return False


def named_users(
    definitions: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
) -> dict[str, UUID]:
    """The users that fields of the type `user` name, by the field's key."""
    keys = {each["key"] for each in definitions if each["field_type"] == "user"}
    return {key: UUID(values[key]) for key in keys if values.get(key) is not None}


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


def _is_storable(value: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, and no half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _is_day(value: str) -> bool:
    try:
        return len(value) == 10 and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False
