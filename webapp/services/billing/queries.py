"""How orders are read."""

from __future__ import annotations

from sqlalchemy import Text, cast, select

from models.billing import Order, OrderItem
from webapp.services.common.reads import RecordQuery, aggregate, among, before, equals, from_on

ORDERS = RecordQuery(
    Order,
    domain="billing",
    noun="order",
    children={
        "items": aggregate(
            select(OrderItem)
            .where(
                OrderItem.organization_id == Order.organization_id,
                OrderItem.order_id == Order.id,
            )
            .correlate(Order),
            (OrderItem.position, OrderItem.id),
            id=OrderItem.id,
            name=OrderItem.name,
            description=OrderItem.description,
            # As text: a JSON number would be read as a float.
            price=cast(OrderItem.price, Text),
            quantity=OrderItem.quantity,
            total=cast(OrderItem.total, Text),
            tax_category=OrderItem.tax_category,
            tax_rate=cast(OrderItem.tax_rate, Text),
            service_id=OrderItem.service_id,
            project_id=OrderItem.project_id,
        )
    },
    filters={
        "engagement_id": equals(Order.engagement_id),
        "status": among(Order.status),
        "client_company_id": equals(Order.client_company_id),
        "created_from": from_on(Order.created_at),
        "created_before": before(Order.created_at),
    },
)
