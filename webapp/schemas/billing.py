"""Orders on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from marshmallow import fields

from webapp.schemas.common import Moment
from webapp.schemas.sales import SoldItemOut
from webapp.schemas.signing import OrderBrief


class OrderItemOut(SoldItemOut):
    """One line of an order; `project_id` is the project that delivers it."""

    project_id = fields.UUID(allow_none=True)


class OrderOut(OrderBrief):
    """An order; `items` are there where one is retrieved."""

    items = fields.List(fields.Nested(OrderItemOut))
    created_at = Moment()
