"""What a client chooses on the signing page, and what that comes to (rulings.md, *Choices*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from webapp.services.common.exceptions import Invalid
from webapp.services.sales.choices import has_choices, kept_before
from webapp.services.sales.offer import Offer, offer_of, tax_in_words

# Which field says that the form was sent with its choices, and what total stood beside them.
SHOWN = "total_shown"


def selection_of(form: Mapping[str, str], proposal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was chosen in the form: the items that are taken, each with its quantity.

    Raises Invalid naming `selection` for a quantity that is no number.
    """
    chosen = []
    for item in proposal["items"]:
        if item["optional"] and form.get(f"take-{item['id']}") != "yes":
            continue
        written = form.get(f"quantity-{item['id']}", str(item["quantity"])).strip()
        if not written.isascii() or not written.isdigit() or len(written) > 6:
            wrong = f"{item['name']}: enter a whole number from {item['min_quantity']}"
            raise Invalid({"selection": [f"{wrong} to {item['max_quantity']}."]})
        chosen.append({"id": UUID(item["id"]), "quantity": int(written)})
    return chosen


def choices_of(form: Mapping[str, str], proposal: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of an offer with choices: its items as they are chosen, and its sums.

    A choice that cannot be is shown as it was made; the sums are those of the offer then.
    """
    if proposal.get("schema") != 2:
        return {}
    try:
        offer = offer_of(proposal, chosen_of(form, proposal))
    except Invalid:
        offer = offer_of(proposal, None)
    is_sent = SHOWN in form
    chosen = {item["id"]: item for item in offer.chosen}
    items = []
    for item in proposal["items"]:
        taken = chosen.get(UUID(item["id"]))
        shown = {
            **item,
            "is_taken": form.get(f"take-{item['id']}") == "yes" if is_sent else taken is not None,
            "is_open": item["min_quantity"] < item["max_quantity"],
            "quantity": taken["quantity"] if taken else item["quantity"],
            "total": taken["total"] if taken else item["total"],
        }
        if is_sent and shown["is_open"]:
            shown["written"] = form.get(f"quantity-{item['id']}", "")
        items.append(shown)
    return {"items": items, "sums": _sums(offer), "has_choices": has_choices_of(proposal)}


def chosen_of(form: Mapping[str, str], proposal: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The choice to show: what was signed, what the form says, or None for what is offered."""
    if proposal.get("selection"):
        return kept_before(proposal["selection"])
    return selection_of(form, proposal) if SHOWN in form else None


def has_choices_of(proposal: Mapping[str, Any]) -> bool:
    """Whether the frozen content leaves something to choose: there all items have bounds."""
    open_items = [
        {"optional": item["optional"], "max_quantity": item["min_quantity"] < item["max_quantity"]}
        for item in proposal["items"]
    ]
    return has_choices(open_items)


def _sums(offer: Offer) -> dict[str, Any]:
    return {
        "subtotal": offer.subtotal,
        "discount": offer.discount,
        "net": offer.net,
        "taxes": [(tax_in_words(group.category, group.rate), group.tax) for group in offer.taxes],
        "gross": f"{offer.gross:.2f}",
        "terms": offer.terms,
        "count": len(offer.chosen),
    }
