"""Cursors: a place in a list as a text that its links carry (api.md, *Lists*)."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from webapp.services.common.exceptions import Invalid

_LARGEST_ID = 2**128 - 1
_LARGEST_NUMBER = 10**12


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list, given by what it is sorted by and its row's value and id.

    It stands for the rows after that place, or before it.
    """

    sort: str
    value: Any
    id: UUID
    backwards: bool

    def text(self) -> str:
        value = self.value
        if isinstance(value, dt.datetime):
            value = value.astimezone(dt.UTC)
        if isinstance(value, dt.date):
            value = value.isoformat()
        elif value is not None and not isinstance(value, int):
            value = str(value)
        data = [self.sort, value, self.id.hex, int(self.backwards)]
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def way_back(cursor: Cursor | None, descending: bool) -> tuple[str | None, str | None]:
    """The `next` and `prev` of an empty page: back to where its cursor came from.

    The row that the cursor names is among those it goes back to, so the place is moved by one id.
    """
    if cursor is None:
        return None, None
    step = 1 if descending == cursor.backwards else -1
    number = min(max(cursor.id.int + step, 0), _LARGEST_ID)
    text = replace(cursor, id=UUID(int=number), backwards=not cursor.backwards).text()
    return (text, None) if cursor.backwards else (None, text)


def read_cursor(text: str, sort: str, type_: Any, *, nullable: bool = False) -> Cursor:
    """The place a cursor stands for, in the list sorted by `sort`, whose values have this type.

    With `nullable` it may be among the rows that have none.

    Raises Invalid naming `cursor` when it is not one of that list.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        made_for, value, record_id, backwards = json.loads(base64.urlsafe_b64decode(padded))
        if made_for != sort:
            raise ValueError("of the list in another order")
        at = None if value is None and nullable else _sort_value(value, type_)
        return Cursor(sort, at, UUID(hex=record_id), bool(backwards))
    except (ValueError, TypeError, AttributeError, ArithmeticError, binascii.Error) as error:
        message = "This is not a cursor of this list; follow the links of its answers."
        raise Invalid({"cursor": [message]}) from error


def _sort_value(value: Any, type_: Any) -> Any:
    """A cursor's value as the column's. Raises ValueError, TypeError or ArithmeticError."""
    wanted = type_.python_type
    if wanted is int:
        if type(value) is not int or not -(2**31) <= value < 2**31:
            raise TypeError("not a whole number the database takes")
        return value
    if not isinstance(value, str):
        raise TypeError("not a text")
    if wanted is dt.datetime:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("naive")
        return moment
    if wanted is dt.date:
        return dt.date.fromisoformat(value)
    if wanted is float:
        amount = float(value)
        if not math.isfinite(amount):
            raise ValueError("not a number the database takes")
        return amount
    if wanted is Decimal:
        number = Decimal(value)
        if not number.is_finite() or abs(number) >= _LARGEST_NUMBER:
            raise ValueError("not a number the database takes")
        return number
    if "\0" in value.encode().decode():  # no half of a surrogate pair either
        raise ValueError("not a text the database takes")
    return value
