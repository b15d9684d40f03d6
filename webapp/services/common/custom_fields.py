"""Lists by custom fields: found by a value or a range, and sorted (rulings.md, *Custom fields*).

What is asked for is looked up in `custom_field_values`, where text is kept as it is and numbers,
money and days as a number too: under row-level security an index on JSON serves nobody, and one on
`numeric` does not either, because its comparisons are not leakproof.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    String,
    and_,
    exists,
    literal_column,
    not_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import aliased

from models.db.queries import CompiledQuery, Row, bound
from models.engagements import CustomFieldDefinition, CustomFieldValue
from webapp.services.common.cursors import Cursor
from webapp.services.common.exceptions import Invalid

# The types whose values have a range, each with what one looks like.
RANGED = {
    "number": re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?"),
    "money": re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
}
_IS, _RANGE = "custom_field_is_", "custom_field_in_"
_ASKED = re.compile(r"([^\[\]]*)(?:\[(gte|lte)\])?", re.DOTALL)
_SORT = re.compile(r"custom_fields\[([^\[\]]*)\]", re.DOTALL)
_DEFINED = CompiledQuery.of(
    select(CustomFieldDefinition.key, CustomFieldDefinition.field_type).where(
        CustomFieldDefinition.entity_type == bound("entity_type", String())
    )
)
_Value: Any = CustomFieldValue
# Apart from what filters look up, which may be of the same table.
_Sorted: Any = aliased(CustomFieldValue, name="sorted_value")


@dataclass(frozen=True, slots=True)
class CustomSort:
    """A list's order by a custom field, whose values are compared as texts or as numbers."""

    key: str
    as_number: bool

    @property
    def type(self) -> Any:
        return Float(53) if self.as_number else String()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a list by a custom field: the records with a value, or those without (`missing`).

    `after` says whether it begins at the cursor's place.
    """

    missing: bool
    after: bool


def types_of(entity: str | None) -> dict[str, str]:
    """The types of this kind of record's custom fields, by their keys."""
    return {row["key"]: row["field_type"] for row in _DEFINED.all(entity_type=entity)}


def sorted_key(sort: str) -> str | None:
    """The key of the custom field that a list is sorted by; None for another order."""
    found = _SORT.fullmatch(sort)
    return found[1] if found else None


def sort_by(key: str, types: Mapping[str, str]) -> CustomSort:
    """The order by this field. Raises Invalid naming `sort` when there is none."""
    if key not in types:
        raise Invalid({"sort": [f"There is no custom field {key!r}."]})
    if types[key] == "choices":
        raise Invalid({"sort": ["A field of the type choices has several values, and no order."]})
    return CustomSort(key, types[key] in RANGED)


def asked_for(
    custom: Mapping[str, str], types: Mapping[str, str]
) -> tuple[list[str], dict[str, Any]]:
    """The filters that `key`, `key[gte]` and `key[lte]` stand for: their names, and the values.

    Raises Invalid naming those whose field is not defined, or has no such range.
    """
    names: list[str] = []
    values: dict[str, Any] = {}
    ranges: dict[str, dict[str, float]] = {}
    errors: dict[str, list[str]] = {}
    for given, value in sorted(custom.items()):
        found = _ASKED.fullmatch(given)
        key, end = (found[1], found[2]) if found else (given, None)
        shown = f"custom_fields[{key}]" + (f"[{end}]" if end else "")
        if key not in types:
            errors[shown] = ["There is no such custom field."]
        elif end is None:
            name = f"{_IS}{len(names)}"
            names.append(name)
            values |= {f"{name}_key": key, f"{name}_value": value}
        elif types[key] not in RANGED:
            errors[shown] = [f"A field of the type {types[key]} has no ranges."]
        elif (number := _number(value, types[key])) is None:
            errors[shown] = [f"This must be a {types[key]}."]
        else:
            ranges.setdefault(key, {})[end] = number
    if errors:
        raise Invalid(errors)
    for key, ends in ranges.items():
        name = f"{_RANGE}{len(names)}"
        names.append(name)
        values |= {
            f"{name}_key": key,
            f"{name}_from": ends.get("gte", float("-inf")),
            f"{name}_to": ends.get("lte", float("inf")),
        }
    return names, values


def condition(model: Any, entity: str | None, name: str) -> ColumnElement[bool] | None:
    """The condition of a filter that `asked_for` has named; None for another filter."""
    if name.startswith(_IS):
        wanted = _Value.value == bound(f"{name}_value", String())
    elif name.startswith(_RANGE):
        low, high = bound(f"{name}_from", Float(53)), bound(f"{name}_to", Float(53))
        wanted = _Value.number.between(low, high)
    else:
        return None
    found: ColumnElement[bool] = model.id.in_(
        select(_Value.entity_id).where(
            _Value.organization_id == model.organization_id,
            _Value.entity_type == entity,
            _Value.key == bound(f"{name}_key", String()),
            wanted,
        )
    )
    return found


def read_parts(
    query: Callable[[Part], CompiledQuery], cursor: Cursor | None, values: Mapping[str, Any]
) -> list[Row]:
    """The rows of a page: those with a value, then those without, whichever way it is sorted.

    Backwards the other way round. The second part is read only where the first is short.
    """
    rows: list[Row] = []
    for part in _parts(cursor):
        missing = values["page_limit"] - len(rows)
        if missing:
            rows += query(part).all(**{**values, "page_limit": missing})
    return rows


def _parts(cursor: Cursor | None) -> list[Part]:
    if cursor is None:
        return [Part(missing=False, after=False), Part(missing=True, after=False)]
    here = cursor.value is None
    order = (True, False) if cursor.backwards else (False, True)
    return [Part(missing, missing == here) for missing in order[order.index(here) :]]


def part_of_list(
    statement: Select[Any],
    model: Any,
    entity: str | None,
    as_number: bool,
    part: Part,
    descending: bool,
    *,
    label: str,
) -> Select[Any]:
    """The rows of a part in the list's order, each with its value as `label`, null for none."""
    column = _Sorted.number if as_number else _Sorted.value
    of_field = and_(
        _Sorted.entity_type == entity,
        _Sorted.key == bound("sort_key", String()),
        column.is_not(None),
    )
    of_record = and_(
        _Sorted.organization_id == model.organization_id, _Sorted.entity_id == model.id
    )
    places: dict[str, Any]
    if part.missing:
        statement = statement.where(not_(exists().where(of_record, of_field)))
        statement = statement.add_columns(literal_column("NULL").label(label))
        places = {"after_id": model.id}
    else:
        # Each record by itself (OFFSET keeps the planner from joining them otherwise): under
        # row-level security it expects few rows of any tenant, and would join and sort them all.
        one = statement.where(of_record).correlate(_Sorted).offset(literal_column("0"))
        record = one.lateral("record")
        statement = select(record, column.label(label)).join_from(_Sorted, record, true())
        statement = statement.where(of_field)
        places = {"after_value": column, "after_id": _Sorted.entity_id}
    keys = list(places.values())
    if part.after:
        here = tuple_(*keys)
        place = tuple_(*(bound(name, key.type) for name, key in places.items()))
        statement = statement.where(here < place if descending else here > place)
    ordered = statement.order_by(*(key.desc() if descending else key for key in keys))
    return ordered.limit(bound("page_limit"))


def _number(value: str, field_type: str) -> float | None:
    """What a value is compared as; None when it is none of the type."""
    if not RANGED[field_type].fullmatch(value):
        return None
    if field_type != "date":
        return float(value)
    try:
        return float(dt.date.fromisoformat(value).strftime("%Y%m%d"))
    except ValueError:
        return None
