"""Orders on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from marshmallow import fields, validate

from webapp.schemas.common import Currency, Input, Moment, Money, reason, reference
from webapp.schemas.sales import MAX_ITEMS, SoldItemIn, SoldItemOut
from webapp.schemas.signing import OrderBrief


class OrderItemIn(SoldItemIn):
    """One line of an order; `project_id` is the project that delivers it."""

    project_id = reference()


class OrderChange(Input):
    """The fields of an order made by hand; `items`, when given, replace all its items.

    `discount` is taken off what the items come to.
    """

    client_company_id = reference()
    contact_id = reference()
    currency = Currency()
    discount = Money()
    items = fields.List(fields.Nested(OrderItemIn), validate=validate.Length(min=1, max=MAX_ITEMS))


class OrderCreate(OrderChange):
    engagement_id = reference(required=True, allow_none=False)
    items = fields.List(
        fields.Nested(OrderItemIn),
        required=True,
        validate=validate.Length(min=1, max=MAX_ITEMS),
    )


class OrderCancel(Input):
    reason = reason()


class OrderItemOut(SoldItemOut):
    """One line of an order; `project_id` is the project that delivers it."""

    project_id = fields.UUID(allow_none=True)


class OrderOut(OrderBrief):
    """An order; `items` are there where one is retrieved."""

    client_company_id = fields.UUID(allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    items = fields.List(fields.Nested(OrderItemOut))
    created_at = Moment()
    updated_at = Moment()
