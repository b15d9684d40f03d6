"""A frozen content of schema 2 with the choice that was made: what it comes to, and when it is due.

Pure: the page shows what the signed document prints. Source: rulings.md, *Choices* and *Terms*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from webapp.services.billing.terms import told
from webapp.services.billing.totals import TaxGroup, split, totals_of
from webapp.services.sales.choices import Selection, taken


@dataclass(frozen=True, slots=True)
class Offer:
    """The items that are taken and those that are not, and what the former cost."""

    chosen: list[dict[str, Any]]
    left: list[dict[str, Any]]
    subtotal: Decimal
    discount: Decimal
    net: Decimal
    taxes: tuple[TaxGroup, ...]
    gross: Decimal
    terms: list[tuple[str, str]]


def offer_of(content: Mapping[str, Any], selection: Selection | None) -> Offer:
    """What the client takes by this selection, and what that comes to.

    Without one it is what comes to who chooses nothing, which may be nothing. The discount is
    spread over the items in their proportion, and each tax reckoned on what is left of them
    (rulings.md, *Invoices*). Raises Invalid naming what is chosen wrongly.
    """
    items = [{**item, "id": UUID(item["id"])} for item in content["items"]]
    quantities = {} if selection is None and all_optional(items) else taken(items, selection)
    chosen = [
        {
            **item,
            "quantity": quantities[item["id"]],
            "total": f"{Decimal(item['price']) * quantities[item['id']]:.2f}",
        }
        for item in items
        if item["id"] in quantities
    ]
    costs = [Decimal(item["total"]) for item in chosen]
    subtotal = sum(costs, Decimal(0))
    discount = min(Decimal(content["discount"]), subtotal)
    shares = split(discount, costs) if discount else [Decimal(0)] * len(costs)
    sums = totals_of(
        {
            "tax_category": item["tax_category"],
            "tax_rate": item["tax_rate"],
            "total": cost - share,
        }
        for item, cost, share in zip(chosen, costs, shares, strict=True)
    )
    return Offer(
        chosen=chosen,
        left=[item for item in items if item["id"] not in quantities],
        subtotal=subtotal,
        discount=discount,
        net=subtotal - discount,
        taxes=sums.groups,
        gross=sums.total,
        terms=told(content["billing"], subtotal - discount),
    )


def all_optional(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether nothing comes without being chosen."""
    return all(item["optional"] for item in items)


def tax_in_words(category: str, rate: Decimal) -> str:
    """How a tax is named in a sum: `Tax, 19 %`, or why there is none."""
    if category == "reverse_charge":
        return "Tax: reverse charge"
    if category in ("zero", "exempt"):
        return "Tax: exempt" if category == "exempt" else "Tax, 0 %"
    return f"Tax, {rate.normalize():f} %"
