"""How an agreement is invoiced, on the wire (rulings.md, *Terms*)."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from models.billing import RECURRING_KINDS, SCHEDULE_KINDS
from webapp.schemas.common import Day, DecimalText, Input, Output, PlainText, WholeNumber, name
from webapp.schemas.invoices import above_zero

MOST_PERIODS = 120
_AFTER = validate.Range(0, 3650)
_OF_KIND = {"x-depends-on": "kind"}
_INSTEAD = {"x-depends-on": "on"}
# Which of the other fields a kind has; what is in the second place it needs.
_RECURRING = ("periods",)
_FIELDS: dict[str, tuple[str, ...]] = {
    "deposit": ("deposit_percent", "rest_on", "rest_after_days"),
    "milestones": ("milestones",),
    **dict.fromkeys(RECURRING_KINDS, _RECURRING),
    "retainer": (*_RECURRING, "hours"),
}
_NEEDED = {"deposit_percent", "milestones", "periods", "hours"}
_ALL = {field for names in _FIELDS.values() for field in names}


class TermsMilestone(Input):
    """A part in percent, invoiced on a day or so many days after the signature (at once)."""

    name = name(required=True)
    percent = WholeNumber(required=True, validate=validate.Range(1, 100))
    on = Day()
    after_days = WholeNumber(validate=_AFTER, metadata=_INSTEAD)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        _one_of(data, "on", "after_days")


class TermsIn(Input):
    """The kind of schedule, and days that are named or count from the signature.

    `periods` is in how many parts a recurring kind bills the total.
    """

    kind = PlainText(required=True, validate=validate.OneOf(SCHEDULE_KINDS))
    starts_on = Day()
    deposit_percent = WholeNumber(validate=validate.Range(1, 99), metadata=_OF_KIND)
    rest_on = Day(metadata=_OF_KIND)
    rest_after_days = WholeNumber(validate=_AFTER, metadata=_OF_KIND)
    milestones = fields.List(
        fields.Nested(TermsMilestone), validate=validate.Length(1, 50), metadata=_OF_KIND
    )
    periods = WholeNumber(validate=validate.Range(1, MOST_PERIODS), metadata=_OF_KIND)
    hours = DecimalText(digits=4, places=2, shown="10.00", validate=above_zero, metadata=_OF_KIND)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        kind = data["kind"]
        own = _FIELDS.get(kind, ())
        errors = {
            field: [f"Terms of the kind {kind} have none."] for field in _ALL - set(own) & set(data)
        }
        errors |= {
            field: [f"Terms of the kind {kind} need this."]
            for field in own
            if field in _NEEDED and field not in data
        }
        if kind == "deposit" and not {"rest_on", "rest_after_days"} & set(data):
            errors["rest_on"] = ["Say when the rest is invoiced: rest_on or rest_after_days."]
        if sum(each["percent"] for each in data.get("milestones", ())) not in (0, 100):
            errors["milestones"] = ["Together they must be 100 percent."]
        if errors:
            raise ValidationError(errors)
        _one_of(data, "rest_on", "rest_after_days")


def _one_of(data: dict[str, Any], first: str, second: str) -> None:
    if first in data and second in data:
        raise ValidationError({second: [f"Give either {first} or {second}."]})


class TermsMilestoneOut(Output):
    name = fields.String()
    percent = fields.Integer()
    on = fields.String()
    after_days = fields.Integer()


class TermsOut(Output):
    """As they were given; what was not is left out."""

    kind = fields.String()
    starts_on = fields.String()
    deposit_percent = fields.Integer()
    rest_on = fields.String()
    rest_after_days = fields.Integer()
    milestones = fields.List(fields.Nested(TermsMilestoneOut))
    periods = fields.Integer()
    hours = fields.String()
