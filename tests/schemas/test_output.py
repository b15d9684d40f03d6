"""Our way of making answers from rows gives what marshmallow's own gives, only sooner."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from marshmallow import Schema, fields

import webapp.api
from webapp.schemas import common
from webapp.schemas.common import Output

assert webapp.api  # every schema is known then


def outputs(of: type[Output] = Output) -> Iterator[type[Output]]:
    for kind in of.__subclasses__():
        if kind.__module__.startswith("webapp.schemas"):
            yield kind
        yield from outputs(kind)


def a_value(field: fields.Field[Any]) -> Any:
    """What a row holds for the field."""
    match field:
        case common.StateLabel(machine=machine) | common.StateNumber(machine=machine):
            return machine.initial
        case fields.Nested():
            return [a_row(field.schema)] if field.many else a_row(field.schema)
        case fields.List(inner=inner):
            return [a_value(inner)]
        case common.Money() | common.DecimalText():
            return Decimal("12.5")
        case common.Moment():
            return dt.datetime(2026, 3, 31, 12, 0, 0, 5, tzinfo=dt.UTC)
        case common.Day():
            return dt.date(2026, 3, 31)
        case fields.UUID():
            return UUID(int=7)
        case fields.Boolean():
            return True
        case fields.Integer():
            return 3
        case fields.Dict():
            return {"key": ["value", None]}
    return "text"


def a_row(schema: Schema) -> dict[str, Any]:
    row = {field.attribute or name: a_value(field) for name, field in schema.dump_fields.items()}
    return row | {f"sender_{part}": "text" for part in ("id", "name", "kind")}


@pytest.mark.parametrize("kind", sorted(set(outputs()), key=lambda kind: kind.__name__))
def test_rows_become_what_marshmallow_makes_of_them(kind: type[Output]) -> None:
    schema = kind()
    whole = a_row(schema)
    empty = dict.fromkeys(whole)
    # marshmallow takes a dictionary's own method for a field named as that, if it is left out.
    part = dict(list(whole.items())[:1])
    part |= {f"sender_{name}": "text" for name in ("id", "name", "kind")}
    part |= {name: value for name, value in whole.items() if hasattr(dict, name)}
    for row in (whole, empty, part):
        assert schema._serialize(row) == Schema._serialize(schema, row)
    assert schema._serialize([whole, part], many=True) == Schema._serialize(
        schema, [whole, part], many=True
    )


def test_what_is_overridden_is_there_to_be_overridden() -> None:
    """A version of marshmallow that calls something else instead would quietly be slower."""
    assert list(inspect.signature(Schema._serialize).parameters) == ["self", "obj", "many"]
    assert "self._serialize(" in inspect.getsource(Schema.dump)
