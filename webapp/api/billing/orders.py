"""Orders: what clients bought by signing. They are made by signatures alone."""

from __future__ import annotations

from webargs.fields import DelimitedList

from models.states import ORDER
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.billing import OrderOut
from webapp.schemas.common import Moment, StateIn, reference
from webapp.services.billing.queries import ORDERS

blueprint = ApiBlueprint("orders", "/api/orders", description="What clients bought by signing.")

orders = Resource(
    blueprint,
    "order",
    records=ORDERS,
    out=OrderOut,
    filters={
        "engagement_id": reference(allow_none=False),
        "status": DelimitedList(StateIn(ORDER)),
        "client_company_id": reference(allow_none=False),
        "created_from": Moment(),
        "created_before": Moment(),
    },
)
orders.list("List orders")
orders.retrieve("Retrieve an order with its items")
