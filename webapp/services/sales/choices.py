"""What a client can choose in a proposal, and what it comes to (rulings.md, *Choices*).

Pure: the page, the signature and its fulfilment reckon alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.db.base import MAX_MONEY
from models.sales import ProposalItem
from webapp.services.common.exceptions import Invalid

Item = Mapping[str, Any]
Selection = Sequence[Mapping[str, Any]]
NOTHING_TO_CHOOSE = "There is nothing to choose in this proposal."
CHOOSE_SOMETHING = "Choose at least one item."


@dataclass(frozen=True, slots=True)
class ChosenItem:
    """An item of a proposal in the quantity that the client takes."""

    id: UUID
    service_id: UUID | None
    position: int
    name: str
    description: str | None
    price: Decimal
    quantity: int
    tax_category: str | None
    tax_rate: Decimal | None

    @property
    def total(self) -> Decimal:
        """Net, before the proposal's discount."""
        return self.price * self.quantity


def has_choices(items: Sequence[Item]) -> bool:
    """Whether the client can choose one of the items, or set a quantity."""
    return any(
        item.get("optional") or item.get("min_quantity") or item.get("max_quantity")
        for item in items
    )


def check_offer(items: Sequence[Item], discount: Decimal) -> Decimal:
    """What the items cost without choosing anything, less the discount.

    Raises Invalid naming the quantities that are out of their own bounds, `items` that may come to
    too much, and a `discount` above the least that the client can choose.
    """
    errors: dict[str, list[str]] = {}
    for n, item in enumerate(items):
        least, most = _bounds(item)
        if not least <= _quantity(item) <= most:
            errors[f"items.{n}.quantity"] = [f"This must be from {least} to {most}."]
    if sum((item["price"] * _bounds(item)[1] for item in items), Decimal(0)) > MAX_MONEY:
        errors["items"] = [f"Together they cost more than {MAX_MONEY}."]
    if discount > (least_total := _least(items)):
        errors["discount"] = [f"The least that the client can choose costs {least_total:.2f}."]
    if errors:
        raise Invalid(errors)
    required = [item for item in items if not item.get("optional")]
    whole = sum((item["price"] * _quantity(item) for item in required), Decimal(0))
    return max(whole - discount, Decimal(0))


def taken(items: Sequence[Item], selection: Selection | None) -> dict[UUID, int]:
    """How much of which item the client takes, by its id, in the items' order.

    `selection` names the optional items that are taken, and quantities (`id`, `quantity`); the
    other items come in the quantity that was offered. Raises Invalid naming what is chosen wrongly.
    """
    known = {item["id"]: item for item in items}
    quantities = {item["id"]: _quantity(item) for item in items if not item["optional"]}
    errors: dict[str, list[str]] = {}
    named: set[UUID] = set()
    for n, chosen in enumerate(selection or ()):
        item = known.get(chosen["id"])
        if item is None:
            errors[f"selection.{n}.id"] = ["There is no item with this id in the proposal."]
            continue
        if item["id"] in named:
            errors[f"selection.{n}.id"] = ["This item is named twice."]
        named.add(item["id"])
        quantity = chosen.get("quantity", _quantity(item))
        least, most = _bounds(item)
        if not least <= quantity <= most:
            wanted = f"choose from {least} to {most}" if least < most else f"it comes {least} times"
            errors[f"selection.{n}.quantity"] = [f"{item['name']}: {wanted}."]
        quantities[item["id"]] = quantity
    if not errors and items and not quantities:
        errors["selection"] = [CHOOSE_SOMETHING]
    if errors:
        raise Invalid(errors)
    return {item["id"]: quantities[item["id"]] for item in items if item["id"] in quantities}


def choose(items: Sequence[ProposalItem], selection: Selection | None) -> list[ChosenItem]:
    """The items that the client takes. Raises Invalid, as `taken`."""
    quantities = taken([item.__dict__ for item in items], selection)
    return [
        ChosenItem(
            id=item.id,
            service_id=item.service_id,
            position=item.position,
            name=item.name,
            description=item.description,
            price=item.price,
            quantity=quantities[item.id],
            tax_category=item.tax_category,
            tax_rate=item.tax_rate,
        )
        for item in items
        if item.id in quantities
    ]


def total_of(chosen: Sequence[ChosenItem], discount: Decimal) -> Decimal:
    """What the chosen items come to, net of the discount."""
    return sum((item.total for item in chosen), Decimal(0)) - discount


def kept(chosen: Sequence[ChosenItem]) -> list[dict[str, Any]]:
    """The choice as it is kept with the signature."""
    return [{"id": str(item.id), "quantity": item.quantity} for item in chosen]


def kept_before(selection: Selection | None) -> list[dict[str, Any]] | None:
    """A kept choice as `choose` takes it."""
    if selection is None:
        return None
    return [{"id": UUID(each["id"]), "quantity": each["quantity"]} for each in selection]


def _quantity(item: Item) -> int:
    return int(item.get("quantity") or 1)


def _bounds(item: Item) -> tuple[int, int]:
    """The least and the most that can be taken: what is offered, unless it says otherwise."""
    quantity = _quantity(item)
    return item.get("min_quantity") or quantity, item.get("max_quantity") or quantity


def _least(items: Sequence[Item]) -> Decimal:
    """The least that can be signed: what is not optional; or one item, where all are."""
    least = [(item.get("optional"), item["price"] * _bounds(item)[0]) for item in items]
    required: list[Decimal] = [cost for is_optional, cost in least if not is_optional]
    if required or not least:
        return sum(required, Decimal(0))
    cheapest: Decimal = min(cost for _, cost in least)
    return cheapest
