"""What the schemas share: strict input, and the forms values have on the wire.

Input refuses unknown fields by name; output is declared separately (security.md, *Input*).
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing, validate

from models.states import StateMachine

NAME_LENGTH = 255
TEXT_LENGTH = 20_000
REASON_LENGTH = 2_000  # it is told to the activity log, whose jobs hold at most 64 kB
_MONEY = re.compile(r"\d{1,10}(\.\d{1,2})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Input(Schema):
    """What a client sends. A field that is not declared is refused."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "There is no such field here."}


class Output(Schema):
    """What a client gets, mostly from a row."""

    def _serialize(self, obj: Any, *, many: bool = False) -> Any:
        """marshmallow's own, for rows: what does not depend on the row is looked up once."""
        if many:
            return [self._serialize(each) for each in obj]
        if not isinstance(obj, dict):
            return super()._serialize(obj)
        data = {}
        for key, attribute, serialize in self._plan:
            value = obj.get(attribute, missing)
            if value is not missing:
                data[key] = None if value is None else serialize(value, attribute, obj)
        return data

    @functools.cached_property
    def _plan(self) -> list[tuple[str, str, Callable[[Any, str, Any], Any]]]:
        """For each field: its name on the wire, its column, and what makes the one of the other."""
        return [
            (field.data_key or name, field.attribute or name, field._serialize)
            for name, field in self.dump_fields.items()
        ]


class PlainText(fields.String):
    """A text without NUL characters, which no PostgreSQL text can hold."""

    PATTERN = r"^[^\x00]*$"

    default_error_messages = {"nul": "NUL characters are not allowed."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text:
            raise self.make_error("nul")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self.make_error("invalid_utf8") from error
        return text


def not_blank(error: str = "This must not be blank.") -> validate.Regexp:
    """At least one character that every language's regular expressions call visible."""
    return validate.Regexp(r"^[^\x00]*[^\s\x00-\x20\x7f-\xa0][^\x00]*$", error=error)


# Lists, not `validate.And`: the API document tells of each rule it finds by itself.
NAME = [validate.Length(1, NAME_LENGTH), not_blank()]


def name(*, required: bool = False, **metadata: Any) -> PlainText:
    """A name: 1 to 255 characters, not blank."""
    return PlainText(required=required, validate=NAME, **metadata)


def text(*, required: bool = False, allow_none: bool = True, **kwargs: Any) -> PlainText:
    """A longer text, up to 20,000 characters."""
    return PlainText(
        required=required,
        allow_none=allow_none,
        validate=validate.Length(max=TEXT_LENGTH),
        **kwargs,
    )


def reason(*, required: bool = False) -> PlainText:
    """Why something was done, up to 2,000 characters; a required one is not blank."""
    rules: list[validate.Validator] = [validate.Length(max=REASON_LENGTH)]
    if required:
        rules.append(not_blank("Say why."))
    return PlainText(required=required, allow_none=not required, validate=rules)


def flag(**kwargs: Any) -> fields.Boolean:
    """A JSON true or false; words for them are refused."""
    return fields.Boolean(truthy={True}, falsy={False}, **kwargs)


# What a browser's own e-mail field accepts (HTML Living Standard, *Valid e-mail address*).
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = [
    validate.Length(max=254),
    validate.Regexp(
        rf"^[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*$(?!\n)",
        error="This is not an e-mail address.",
    ),
]


def url(*, required: bool = False, allow_none: bool = True) -> PlainText:
    """A web address that a browser may be sent to: http or https, up to 2,048 characters."""
    return PlainText(
        required=required,
        allow_none=allow_none,
        validate=[
            validate.Length(max=2048),
            validate.Regexp(
                r"^https?://[^\s\x00-\x20\x7f-\xa0/?#@\\]+([/?#][^\s\x00-\x20\x7f-\xa0]*)?$(?!\n)",
                error="Send an address that begins with http:// or https://.",
            ),
        ],
    )


def reference(*, required: bool = False, allow_none: bool = True) -> fields.UUID:
    """The id of another record of the organization."""
    return fields.UUID(required=required, allow_none=allow_none)


class Related(fields.Nested):
    """A related record: in short, and whole where `expand=` asks for it."""

    def __init__(self, brief: type[Schema], *, whole: type[Schema], **kwargs: Any) -> None:
        super().__init__(brief, **kwargs)
        self.whole = whole


class Money(fields.Field[Decimal]):
    """An amount of money: a string with at most two decimals, never negative, never a float."""

    default_error_messages = {
        "type": 'Send money as a string with up to two decimals, such as "1250.00".',
        "negative": "This must not be negative.",
        "decimals": "Money has at most two decimals.",
        "range": "This is too much: at most 9999999999.99.",
    }

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{Decimal(value):.2f}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, str):
            raise self.make_error("type")
        if value.startswith("-") and _MONEY.fullmatch(value[1:]):
            raise self.make_error("negative")
        if not _MONEY.fullmatch(value):
            if re.fullmatch(r"\d+\.\d{3,}", value):
                raise self.make_error("decimals")
            if re.fullmatch(r"\d{11,}(\.\d{1,2})?", value):
                raise self.make_error("range")
            raise self.make_error("type")
        return Decimal(value)


class DecimalText(fields.Field[Decimal]):
    """A decimal number as a string, never a float: at most so many digits before the point and
    `places` after it."""

    default_error_messages = {"form": 'Send a decimal number as a string, such as "{shown}".'}

    def __init__(self, *, digits: int, places: int, shown: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places, self.shown = places, shown
        self.pattern = rf"^\d{{1,{digits}}}(\.\d{{1,{places}}})?$"

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{Decimal(value):.{self.places}f}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise self.make_error("form", shown=self.shown)
        return Decimal(value)


class WholeNumber(fields.Integer):
    """An integer; `2.0` is one too, as JSON does not tell them apart."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        number: int = super()._deserialize(value, attr, data, **kwargs)
        return number


class Currency(fields.Field[str]):
    """An ISO 4217 code: three capital letters."""

    default_error_messages = {"form": 'Send a currency code of three capital letters, as "EUR".'}

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            raise self.make_error("form")
        return value


class Moment(fields.AwareDateTime):
    """A point in time: RFC 3339 with an offset; answered in UTC."""

    default_error_messages = {
        "invalid": 'Send a time with its offset, such as "2026-03-31T12:00:00Z".',
        "invalid_awareness": 'Say the offset too, such as "2026-03-31T12:00:00Z".',
    }

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        if value is None:
            return None
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
            raise self.make_error("invalid", input=value, obj_type="datetime")
        try:
            moment = dt.datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
            if moment.tzinfo is None:
                raise self.make_error("invalid_awareness", awareness="aware")
            return moment.astimezone(dt.UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("invalid", input=value, obj_type="datetime") from error


class Day(fields.Date):
    """A calendar day, `YYYY-MM-DD`."""

    default_error_messages = {"invalid": 'Send a day such as "2026-03-31".'}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            raise self.make_error("invalid", input=value, obj_type="date")
        return super()._deserialize(value, attr, data, **kwargs)


class StateIn(fields.Field[str]):
    """A state by its number, label or slug, in any letter case; the slug inside.

    `2.0` is a number of one too, as JSON does not tell them apart.
    """

    def __init__(self, machine: StateMachine, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.machine = machine

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        slug = self.machine.parse(value)
        if slug is None:
            known = ", ".join(f"{s.label} ({s.number})" for s in self.machine.states.values())
            raise ValidationError(f"Send one of: {known}.")
        return slug


class StateLabel(fields.Field[str]):
    """A state's label; the row holds the slug."""

    def __init__(self, machine: StateMachine, **kwargs: Any) -> None:
        super().__init__(dump_only=True, **kwargs)
        self.machine = machine

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else self.machine.label(value)


class StateNumber(fields.Field[int]):
    """A state's number; `attribute` names the column that holds the slug."""

    def __init__(self, machine: StateMachine, **kwargs: Any) -> None:
        kwargs.setdefault("attribute", machine.column)
        super().__init__(dump_only=True, **kwargs)
        self.machine = machine

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> int | None:
        return None if value is None else self.machine.number(value)


def check_order(data: Mapping[str, Any], first: str, last: str) -> None:
    """Raise when both days are given and `last` is before `first` (rulings.md, *Dates*)."""
    if data.get(first) and data.get(last) and data[last] < data[first]:
        raise ValidationError({last: [f"This must not be before {first}."]})
