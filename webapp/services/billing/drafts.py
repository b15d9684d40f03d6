"""The invoice that a schedule drafts: what its lines say and how they are taxed.

Pure, so that the first one, which the signature leads to, and those that beat drafts are alike.
Source: rulings.md, *Schedules* and *Terms*.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from models.billing import Invoice, InvoiceLine, InvoiceSchedule
from models.db.base import uuid7
from webapp.services.billing.plans import Part
from webapp.services.billing.totals import split, totals_of


class Sold(Protocol):
    """A line of an order."""

    id: UUID
    position: int
    name: str
    description: str | None
    price: Decimal
    quantity: int
    tax_category: str | None
    tax_rate: Decimal | None
    total: Decimal


@dataclass(frozen=True, slots=True)
class Client:
    """Whom an invoice is for."""

    client_company_id: UUID | None
    contact_id: UUID | None


def drafted(
    schedule: InvoiceSchedule,
    client: Client,
    parts: Sequence[Part],
    default_tax: Mapping[str, str],
    sold: Sequence[Sold] = (),
    discount: Decimal = Decimal(0),
) -> tuple[Invoice, list[InvoiceLine]]:
    """The draft of what is due of a schedule on a day, and its lines; not inserted yet.

    An order that is billed at once gives its items; a part of it gives a line for each tax of its
    items, in their proportion. Without an order the organization's default tax holds.
    """
    if schedule.kind == "once" and sold:
        lines = _of_order(sold, discount, default_tax)
    else:
        taxes = _taxes(sold, discount, default_tax)
        lines = [line for part in parts for line in _of_part(part, taxes)]
    sums = totals_of(lines)
    invoice = Invoice(
        id=uuid7(),
        engagement_id=schedule.engagement_id,
        client_company_id=client.client_company_id,
        contact_id=client.contact_id,
        order_id=schedule.order_id,
        schedule_id=schedule.id,
        period=_day_of(parts).isoformat(),
        service_from=_day_of(parts) if parts[0].until else None,
        service_until=parts[0].until,
        currency=schedule.currency,
        subtotal=sums.subtotal,
        tax=sums.tax,
        total=sums.total,
    )
    return invoice, [
        InvoiceLine(id=uuid7(), invoice_id=invoice.id, position=n, **line)
        for n, line in enumerate(lines)
    ]


def _day_of(parts: Sequence[Part]) -> dt.date:
    return parts[0].on


def _of_order(
    sold: Sequence[Sold], discount: Decimal, default_tax: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The items with the order's discount spread over them in their proportion."""
    shares = (
        split(discount, [item.total for item in sold]) if discount else [Decimal(0)] * len(sold)
    )
    return [
        {
            "order_item_id": item.id,
            "name": item.name,
            "description": item.description,
            "price": item.price,
            "quantity": Decimal(item.quantity),
            "discount": share,
            **_tax_of(item, default_tax),
            "total": item.total - share,
        }
        for item, share in zip(sold, shares, strict=True)
    ]


def _taxes(
    sold: Sequence[Sold], discount: Decimal, default_tax: Mapping[str, str]
) -> list[tuple[dict[str, Any], Decimal]]:
    """Each tax of the order with the net amount under it; the default one without an order."""
    groups = totals_of(_of_order(sold, discount, default_tax)).groups
    if sum((group.net for group in groups), Decimal(0)) <= 0:
        return [(_tax(default_tax["category"], default_tax["rate"]), Decimal(1))]
    return [(_tax(group.category, group.rate), group.net) for group in groups]


def _of_part(part: Part, taxes: Sequence[tuple[dict[str, Any], Decimal]]) -> list[dict[str, Any]]:
    """One line for each tax; those that come to nothing are left out where others do not."""
    amounts = split(part.amount, [weight for _, weight in taxes])
    lines = [
        {
            "name": part.name if len(taxes) == 1 else _named(part.name, tax["tax_rate"]),
            "quantity": Decimal(1),
            "unit": "flat",
            "price": amount,
            **tax,
            "total": amount,
        }
        for (tax, _), amount in zip(taxes, amounts, strict=True)
    ]
    return [line for line in lines if line["total"]] or lines[:1]


def _named(name: str, rate: Decimal) -> str:
    return f"{name[:230]} (tax {rate.normalize():f} %)"


def _tax_of(item: Sold, default_tax: Mapping[str, str]) -> dict[str, Any]:
    if item.tax_category is None:
        return _tax(default_tax["category"], default_tax["rate"])
    return _tax(item.tax_category, item.tax_rate)


def _tax(category: str, rate: Decimal | str | None) -> dict[str, Any]:
    return {"tax_category": category, "tax_rate": Decimal(rate or 0)}
