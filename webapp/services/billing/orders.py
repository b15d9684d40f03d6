"""Orders: what clients bought, by signing or written down by hand (rulings.md, *Orders*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from models.billing import Invoice, InvoiceSchedule, Order, OrderItem
from models.catalog import Service
from models.crm import ClientCompany, Contact
from models.db.base import MAX_MONEY, TenantRecord, db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from models.projects import Project
from models.states import INVOICE, ORDER
from webapp.services.billing.numbers import next_number
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.writes import change, check_values, create, lock, move
from webapp.services.engagements.state_rules import refuse_if_over
from webapp.services.identity.organization import organization

REFERENCES: dict[str, type[TenantRecord]] = {
    "engagement_id": Engagement,
    "client_company_id": ClientCompany,
    "contact_id": Contact,
}
NOT_VOID = tuple(set(INVOICE.states) - {"void"})
ZERO = Decimal(0)
SIGNED = "This order was signed as it is; make another one for what comes in addition."


def create_order(values: Mapping[str, Any]) -> Order:
    """Write down an order; it is of the engagement's client and in its currency unless said.

    Raises Invalid naming the fields, and Conflict when the engagement is closed or cancelled.
    """
    values = dict(values)
    items = values.pop("items")
    check_values(values, REFERENCES)
    engagement = lock(Engagement, values["engagement_id"], share=True)
    refuse_if_over(engagement, "takes no new orders")
    _check_items(items, engagement.id)
    values.setdefault("currency", engagement.currency or organization()["currency"])
    values.setdefault("client_company_id", engagement.client_company_id)
    values.setdefault("contact_id", engagement.contact_id)
    total = _total(_sum(items), values.get("discount", ZERO))
    # Late, because the series stays locked from here on.
    number = next_number("order")
    order = create(
        Order(id=uuid7(), number=number, total=total, **values), metadata={"number": number}
    )
    _write_items(order, items)
    return order


def update_order(
    values: Mapping[str, Any], order_id: UUID, *, expected_row_version: int | None = None
) -> Order:
    """Change an order that was written down by hand; given `items` replace all its items.

    Raises NotFound, StaleVersion, Invalid naming the fields, and Conflict when it was signed, is
    cancelled, or has an invoice that is not void.
    """
    values = dict(values)
    items = values.pop("items", None)
    order = lock(Order, order_id, expected_row_version=expected_row_version)
    if order.proposal_id is not None:
        raise Conflict(SIGNED)
    if order.status == "cancelled":
        raise Conflict("This order is cancelled.")
    _refuse_invoices(order, NOT_VOID, "it cannot be changed")
    check_values(values, REFERENCES)
    if items is not None:
        _check_items(items, order.engagement_id)
    before = order.total + order.discount if items is None else _sum(items)
    values["total"] = _total(before, values.get("discount", order.discount))
    change(order, values, children=() if items is None else ("items",))
    if items is not None:
        db.session.execute(
            delete(OrderItem)
            .where(
                OrderItem.organization_id == order.organization_id, OrderItem.order_id == order.id
            )
            .execution_options(synchronize_session=False)
        )
        _write_items(order, items)
    return order


def cancel_order(
    values: Mapping[str, Any], order_id: UUID, *, expected_row_version: int | None = None
) -> Order:
    """Cancel an order, for a reason or none: nothing is billed on it any more.

    What was billed and settled stays. Raises NotFound, StaleVersion, InvalidTransition when it is
    paid, and Conflict while a draft, an open invoice or a schedule of it would still be paid.
    """
    order = lock(Order, order_id, expected_row_version=expected_row_version)
    _refuse_invoices(order, ("draft", "open"), "delete, void or credit them first")
    schedules = select(InvoiceSchedule.id).where(
        InvoiceSchedule.organization_id == order.organization_id,
        InvoiceSchedule.order_id == order.id,
        InvoiceSchedule.ended_at.is_(None),
        InvoiceSchedule.next_period.is_not(None),
    )
    if db.session.scalar(schedules.limit(1)) is not None:
        raise Conflict("A schedule bills this order; end it first.")
    move(order, ORDER, "cancelled", reason=values.get("reason"))
    return order


def lock_order_of(engagement: Engagement, order_id: UUID | None) -> None:
    """Lock the order that something is to be billed on, so that it is not cancelled meanwhile.

    Raises Invalid naming `order_id` for another engagement's order, or a cancelled one.
    """
    if order_id is None:
        return
    order = lock(Order, order_id, share=True)
    if order.engagement_id != engagement.id:
        raise Invalid({"order_id": ["This order belongs to another engagement."]})
    if order.status == "cancelled":
        raise Invalid({"order_id": ["This order is cancelled."]})


def _refuse_invoices(order: Order, states: Sequence[str], what: str) -> None:
    """Raise Conflict when the order has invoices in these states."""
    found = db.session.execute(
        select(Invoice.number, Invoice.status)
        .where(
            Invoice.organization_id == order.organization_id,
            Invoice.order_id == order.id,
            Invoice.status.in_(states),
        )
        .order_by(Invoice.id)
        .limit(10)
    ).all()
    if found:
        names = ", ".join(number or INVOICE.label(status).lower() for number, status in found)
        raise Conflict(f"This order has invoices ({names}); {what}.")


def _check_items(items: Sequence[Mapping[str, Any]], engagement_id: UUID) -> None:
    """Each item's service must be there, and its project in the engagement. Raises Invalid."""
    known: dict[str, tuple[Any, Sequence[Any]]] = {
        "service_id": (Service, ()),
        "project_id": (Project, (Project.engagement_id == engagement_id,)),
    }
    missing: dict[str, list[str]] = {}
    for name, (model, conditions) in known.items():
        if not (wanted := {item[name] for item in items if item.get(name)}):
            continue
        found = db.session.scalars(
            select(model.id).where(
                model.organization_id == current_organization_id(),
                model.id.in_(wanted),
                model.deleted_at.is_(None),
                *conditions,
            )
        )
        absent = wanted - set(found)
        for n, item in enumerate(items):
            if item.get(name) in absent:
                where = " in this engagement" if name == "project_id" else ""
                missing[f"items.{n}.{name}"] = [f"There is no {model.noun} with this id{where}."]
    if missing:
        raise Invalid(missing)


def _sum(items: Sequence[Mapping[str, Any]]) -> Decimal:
    total = sum((item["price"] * item["quantity"] for item in items), ZERO)
    if total > MAX_MONEY:
        raise Invalid({"items": [f"Together they cost more than {MAX_MONEY}."]})
    return total


def _total(items: Decimal, discount: Decimal) -> Decimal:
    if discount > items:
        raise Invalid({"discount": [f"The items come to {items}."]})
    return items - discount


def _write_items(order: Order, items: Sequence[Mapping[str, Any]]) -> None:
    insert_records(
        [
            OrderItem(
                id=uuid7(),
                order_id=order.id,
                position=n,
                total=item["price"] * item["quantity"],
                **item,
            )
            for n, item in enumerate(items)
        ]
    )
