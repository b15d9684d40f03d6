"""Invoice schedules: made, changed from the next period on, paused, ended, and carried out.

Source: rulings.md, *Schedules*.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select

from models.billing import Invoice, InvoiceSchedule, Order, OrderItem
from models.db.base import TenantRecord, db, uuid7
from models.db.inserts import insert_records
from models.db.tenancy import current_organization_id
from models.engagements import Engagement
from webapp.services.activity.events import record_activity
from webapp.services.billing.drafts import Client, drafted
from webapp.services.billing.orders import lock_order_of
from webapp.services.billing.plans import MONTHS, Part, Plan
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.reads import RecordQuery, equals
from webapp.services.common.writes import (
    change,
    check_values,
    create,
    lock,
    now,
    refuse_duplicate,
    today,
    touch,
)
from webapp.services.engagements.state_rules import refuse_if_over
from webapp.services.identity.organization import default_tax, organization

BATCH = 100
REFERENCES: dict[str, type[TenantRecord]] = {"engagement_id": Engagement, "order_id": Order}
# How far back a schedule may begin: what lies there is drafted at once.
LONGEST_AGO = dt.timedelta(days=366)

SCHEDULES = RecordQuery(
    InvoiceSchedule,
    domain="billing",
    noun="invoice schedule",
    filters={"engagement_id": equals(InvoiceSchedule.engagement_id)},
)


def create_schedule(values: Mapping[str, Any]) -> InvoiceSchedule:
    """Plan an engagement's invoices.

    Raises Invalid naming the fields, and Conflict when the engagement is closed or cancelled, or
    the order has a schedule already.
    """
    values = dict(values)
    check_values(values, REFERENCES)
    engagement = lock(Engagement, values["engagement_id"], share=True)
    refuse_if_over(engagement, "takes no new schedules")
    lock_order_of(engagement, values.get("order_id"))
    if values["starts_on"] < today() - LONGEST_AGO:
        raise Invalid({"starts_on": ["This is more than a year ago."]})
    values.setdefault("currency", engagement.currency or organization()["currency"])
    values["shares"] = shares_of(values)
    schedule = InvoiceSchedule(id=uuid7(), **values)
    schedule.next_period = next((part.on for part in plan_of(schedule).parts()), None)
    taken = "This order has a schedule already."
    with refuse_duplicate("uq_invoice_schedules_organization_id_order_id", "order_id", taken):
        return create(schedule)


def update_schedule(
    values: Mapping[str, Any], invoice_schedule_id: UUID, *, expected_row_version: int | None = None
) -> InvoiceSchedule:
    """Change a schedule from its next period on; what was drafted stays as it is.

    Raises NotFound, StaleVersion, Invalid naming the fields, and Conflict when it has ended, or
    when a whole of which parts are invoiced would get another amount.
    """
    schedule = _lock_living(invoice_schedule_id, expected_row_version)
    if schedule.total is not None and not values.keys().isdisjoint(("amount", "ends_on")):
        raise Conflict("This bills a whole in its periods; end the schedule and make another.")
    is_whole = schedule.kind not in MONTHS
    if is_whole and "amount" in values and values["amount"] != schedule.amount:
        invoiced = select(
            exists().where(
                Invoice.organization_id == schedule.organization_id,
                Invoice.schedule_id == schedule.id,
            )
        )
        if db.session.scalar(invoiced):
            raise Conflict("Parts of this amount are invoiced; end the schedule and make another.")
    if values.get("ends_on") and values["ends_on"] < schedule.starts_on:
        raise Invalid({"ends_on": ["This must not be before starts_on."]})
    change(schedule, values)
    following, last = schedule.next_period, schedule.ends_on
    if following is not None and last is not None and following > last:
        schedule.next_period = None
    return schedule


def pause_schedule(
    invoice_schedule_id: UUID, *, expected_row_version: int | None = None
) -> InvoiceSchedule:
    """Stop drafting invoices until it is resumed. Raises NotFound, StaleVersion, Conflict."""
    return _switch(invoice_schedule_id, expected_row_version, to=False)


def resume_schedule(
    invoice_schedule_id: UUID, *, expected_row_version: int | None = None
) -> InvoiceSchedule:
    """Go on with the next period that begins; those that passed meanwhile are not billed.

    Raises NotFound, StaleVersion, Conflict.
    """
    schedule = _switch(invoice_schedule_id, expected_row_version, to=True)
    if schedule.next_period is not None and schedule.next_period < today():
        yesterday = today() - dt.timedelta(days=1)
        schedule.next_period = plan_of(schedule).after(yesterday)
    return schedule


def end_schedule(invoice_schedule_id: UUID, *, expected_row_version: int | None = None) -> None:
    """End a schedule for good; a second time changes nothing. Raises NotFound, StaleVersion."""
    schedule = lock(InvoiceSchedule, invoice_schedule_id, expected_row_version=expected_row_version)
    if schedule.ended_at is None:
        _end(schedule)


def preview(invoice_schedule_id: UUID, count: int) -> list[dict[str, Any]]:
    """The next invoices to come, at most `count`. Raises NotFound."""
    row = SCHEDULES.get(invoice_schedule_id)
    if row["ended_at"] is not None or row["next_period"] is None:
        return []
    names = ("kind", "name", "amount", "total", "starts_on", "ends_on", "shares", "hours")
    plan = Plan(**{name: row[name] for name in names})
    due = (part for part in plan.parts() if part.on >= row["next_period"])
    return [
        {"date": part.on, "amount": part.amount, "name": part.name}
        for part in itertools.islice(due, count)
    ]


def draft_due_invoices() -> bool:
    """Draft the invoices whose day has come, one for each period; whether there may be more.

    While the engagement is paused its periods pass without one; once it is closed or cancelled
    the schedule ends.
    """
    day = today()
    due = db.session.execute(
        select(InvoiceSchedule, Engagement)
        .join(
            Engagement,
            (Engagement.organization_id == InvoiceSchedule.organization_id)
            & (Engagement.id == InvoiceSchedule.engagement_id),
        )
        .where(
            InvoiceSchedule.organization_id == current_organization_id(),
            InvoiceSchedule.is_active,
            InvoiceSchedule.next_period <= day,
            Engagement.deleted_at.is_(None),
        )
        .order_by(InvoiceSchedule.next_period, InvoiceSchedule.id)
        .with_for_update(of=InvoiceSchedule, skip_locked=True)
        .limit(BATCH)
    ).all()
    orders = _orders_of([schedule for schedule, _ in due])
    for schedule, engagement in due:
        if engagement.status in ("completed", "cancelled"):
            _end(schedule)
            continue
        plan = plan_of(schedule)
        while schedule.next_period is not None and schedule.next_period <= day:
            parts = plan.on(schedule.next_period)
            if engagement.status == "active" and parts:
                _draft(schedule, engagement, parts, orders)
            schedule.next_period = plan.after(schedule.next_period)
        touch(schedule)
    return len(due) == BATCH


def plan_of(schedule: InvoiceSchedule) -> Plan:
    """What the schedule says."""
    return Plan(
        kind=schedule.kind,
        name=schedule.name,
        amount=schedule.amount,
        starts_on=schedule.starts_on,
        ends_on=schedule.ends_on,
        shares=schedule.shares or (),
        hours=schedule.hours,
        total=schedule.total,
    )


def _draft(
    schedule: InvoiceSchedule, engagement: Engagement, parts: Sequence[Part], orders: _Orders
) -> None:
    """Draft what is due; what is billed of an order says and is taxed as its items."""
    sold, discount = orders.get(schedule.order_id, ((), Decimal(0)))
    client = Client(engagement.client_company_id, engagement.contact_id)
    invoice, lines = drafted(schedule, client, parts, default_tax(), sold, discount)
    create(invoice, metadata={"schedule": schedule.name, "period": invoice.period})
    insert_records(lines)


_Orders = Mapping[UUID | None, tuple[Sequence[OrderItem], Decimal]]


def _orders_of(schedules: Sequence[InvoiceSchedule]) -> _Orders:
    """The items and the discount of the orders that these schedules bill; two statements."""
    ids = [schedule.order_id for schedule in schedules if schedule.order_id is not None]
    if not ids:
        return {}
    organization_id = current_organization_id()
    items: dict[UUID, list[OrderItem]] = {order_id: [] for order_id in ids}
    for item in db.session.scalars(
        select(OrderItem)
        .where(OrderItem.organization_id == organization_id, OrderItem.order_id.in_(ids))
        .order_by(OrderItem.position, OrderItem.id)
    ):
        items[item.order_id].append(item)
    discounts = db.session.execute(
        select(Order.id, Order.discount).where(
            Order.organization_id == organization_id, Order.id.in_(ids)
        )
    )
    return {row.id: (items[row.id], row.discount) for row in discounts}


def shares_of(values: dict[str, Any]) -> list[dict[str, str]]:
    """The parts of a deposit or of milestones as they are kept. Raises Invalid naming the fields.

    Each kind takes the fields of its own alone.
    """
    percent, rest_on = values.pop("deposit_percent", None), values.pop("rest_on", None)
    milestones = values.pop("milestones", None)
    kind = values["kind"]
    errors: dict[str, list[str]] = {}
    wanted = {
        "deposit": {"deposit_percent": percent, "rest_on": rest_on},
        "milestones": {"milestones": milestones},
        "retainer": {"hours": values.get("hours")},
    }
    for of_kind, fields in wanted.items():
        for name, value in fields.items():
            if kind == of_kind and value is None:
                errors[name] = [f"A schedule of the kind {kind} needs this."]
            if kind != of_kind and value is not None:
                errors[name] = [f"A schedule of the kind {kind} has none."]
    if kind not in MONTHS and values.get("ends_on") is not None:
        errors["ends_on"] = [f"A schedule of the kind {kind} ends by itself."]
    if rest_on is not None and rest_on < values["starts_on"]:
        errors["rest_on"] = ["This must not be before starts_on."]
    if milestones and sum(each["percent"] for each in milestones) != 100:
        errors["milestones"] = ["Together they must be 100 percent."]
    if errors:
        raise Invalid(errors)
    if kind == "deposit":
        return [
            {"name": "deposit", "percent": str(percent), "on": values["starts_on"].isoformat()},
            {"name": "rest", "percent": str(100 - percent), "on": rest_on.isoformat()},
        ]
    return [
        {"name": each["name"], "percent": str(each["percent"]), "on": each["on"].isoformat()}
        for each in milestones or ()
    ]


def _lock_living(invoice_schedule_id: UUID, expected_row_version: int | None) -> InvoiceSchedule:
    schedule = lock(InvoiceSchedule, invoice_schedule_id, expected_row_version=expected_row_version)
    if schedule.ended_at is not None:
        raise Conflict("This schedule has ended; make another one.")
    return schedule


def _switch(
    invoice_schedule_id: UUID, expected_row_version: int | None, *, to: bool
) -> InvoiceSchedule:
    schedule = _lock_living(invoice_schedule_id, expected_row_version)
    if schedule.is_active == to:
        raise Conflict("This schedule is active." if to else "This schedule is paused already.")
    schedule.is_active = to
    touch(schedule)
    record_activity(schedule, "resumed" if to else "paused")
    return schedule


def _end(schedule: InvoiceSchedule) -> None:
    schedule.is_active, schedule.ended_at, schedule.next_period = False, now(), None
    touch(schedule)
    record_activity(schedule, "ended")
