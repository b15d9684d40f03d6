"""Orders: what clients bought, by signing or written down by hand (rulings.md, *Orders*)."""

from __future__ import annotations

from webargs.fields import DelimitedList

from models.states import ORDER
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.billing import OrderCancel, OrderChange, OrderCreate, OrderOut
from webapp.schemas.common import Moment, StateIn, reference
from webapp.services.billing import orders as service
from webapp.services.billing.queries import ORDERS
from webapp.services.common.exceptions import Conflict, InvalidTransition

blueprint = ApiBlueprint("orders", "/api/orders", description="What clients bought.")

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
orders.create("Write down an order", OrderCreate, service.create_order, errors=(Conflict,))
orders.retrieve("Retrieve an order with its items")
orders.update(
    "Change an order of which nothing is invoiced",
    OrderChange,
    service.update_order,
    errors=(Conflict,),
)
orders.action(
    "cancel",
    "Cancel an order",
    service.cancel_order,
    body=OrderCancel,
    errors=(InvalidTransition, Conflict),
)
