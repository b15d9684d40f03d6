"""Invoice schedules on the wire (rulings.md, *Schedules*)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate, validates_schema

from models.billing import SCHEDULE_KINDS
from webapp.schemas.common import (
    Currency,
    Day,
    DecimalText,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    WholeNumber,
    check_order,
    name,
    reference,
)
from webapp.schemas.invoices import above_zero

_PERCENT = validate.Range(1, 100)
_BY_KIND = {"x-depends-on": "kind"}


class MilestoneIn(Input):
    """A part of the amount, in percent, and the day on which it is invoiced."""

    name = name(required=True)
    percent = WholeNumber(required=True, validate=_PERCENT)
    on = Day(required=True)


class ScheduleChange(Input):
    """What may be changed; it tells on the periods to come."""

    name = name()
    amount = Money(validate=above_zero)
    ends_on = Day(allow_none=True, metadata=_BY_KIND)


class ScheduleCreate(ScheduleChange):
    """`deposit_percent` and `rest_on` belong to a deposit, `milestones` to milestones, `hours` to a
    retainer."""

    engagement_id = reference(required=True, allow_none=False)
    order_id = reference()
    name = name(required=True)
    kind = PlainText(required=True, validate=validate.OneOf(SCHEDULE_KINDS))
    currency = Currency()
    amount = Money(required=True, validate=above_zero)
    starts_on = Day(required=True)
    deposit_percent = WholeNumber(validate=validate.Range(1, 99), metadata=_BY_KIND)
    rest_on = Day(metadata=_BY_KIND)
    milestones = fields.List(
        fields.Nested(MilestoneIn), validate=validate.Length(1, 50), metadata=_BY_KIND
    )
    hours = DecimalText(digits=4, places=2, shown="10.00", validate=above_zero, metadata=_BY_KIND)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_order(data, "starts_on", "ends_on")


class ShareOut(Output):
    name = fields.String()
    percent = fields.String()
    on = fields.String()


class ScheduleOut(Output):
    """A schedule; `next_period` is the day on which its next invoice is drafted.

    `total` is what all its periods come to, where a whole is billed in periods.
    """

    id = fields.UUID()
    engagement_id = fields.UUID()
    order_id = fields.UUID(allow_none=True)
    name = fields.String()
    kind = fields.String()
    currency = Currency()
    amount = Money()
    total = Money(allow_none=True)
    starts_on = Day()
    ends_on = Day(allow_none=True)
    shares = fields.List(fields.Nested(ShareOut))
    hours = DecimalText(digits=4, places=2, shown="10.00", allow_none=True)
    next_period = Day(allow_none=True)
    is_active = fields.Boolean()
    ended_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class PartOut(Output):
    """An invoice to come; its amount is net."""

    date = Day()
    amount = Money()
    name = fields.String()


class PreviewOut(Output):
    data = fields.List(fields.Nested(PartOut))
