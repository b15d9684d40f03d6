"""What the lines of an invoice come to, with their tax: the one place where this is reckoned.

The rules are those of EN 16931: a line is net, quantity times price less its discount; tax is
reckoned for each category and rate on the sum of its lines, and rounded there; the total is the
sum of both. Amounts are in `Decimal`, halves are rounded up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

CENT = Decimal("0.01")
# Where the law has no tax, whatever the reason.
UNTAXED = ("zero", "exempt", "reverse_charge")


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """The lines of one category and rate (in percent): their net sum, and the tax on it."""

    category: str
    rate: Decimal
    net: Decimal
    tax: Decimal

    def as_text(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """As it is kept and shown, with two decimals: JSON has no decimals.

        `reasons` say for a category why there is no tax.
        """
        numbers = {"rate": self.rate, "net": self.net, "tax": self.tax}
        told = {"reason": reasons[self.category]} if self.category in reasons else {}
        return {"category": self.category, **{k: f"{v:.2f}" for k, v in numbers.items()}, **told}


@dataclass(frozen=True, slots=True)
class Totals:
    """What lines come to."""

    groups: tuple[TaxGroup, ...]

    @property
    def subtotal(self) -> Decimal:
        return sum((group.net for group in self.groups), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return sum((group.tax for group in self.groups), Decimal(0))

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.tax


def rounded(amount: Decimal) -> Decimal:
    """To the cent, halves up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def line_total(line: Mapping[str, Any]) -> Decimal:
    """What one line comes to, net; below zero where its discount is more than it costs."""
    net: Decimal = rounded(line["quantity"] * line["price"]) - line.get("discount", Decimal(0))
    return net


def totals_of(lines: Iterable[Mapping[str, Any]]) -> Totals:
    """What the lines come to; each has `total`, `tax_category` and `tax_rate`."""
    sums: dict[tuple[str, Decimal], Decimal] = {}
    for line in lines:
        key = line["tax_category"], Decimal(line["tax_rate"]).quantize(CENT)
        sums[key] = sums.get(key, Decimal(0)) + line["total"]
    return Totals(
        tuple(
            TaxGroup(category, rate, net, rounded(net * rate / 100))
            for (category, rate), net in sorted(sums.items())
        )
    )


def split(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """The amount in parts of these weights, in whole cents, that add up to it exactly.

    What rounding down leaves goes to the largest remainders, the first ones first. Raises
    ValueError without a weight above zero.
    """
    whole = sum(weights, Decimal(0))
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("nothing to split by")
    cents = int(amount / CENT)
    exact = [cents * weight / whole for weight in weights]
    parts = [int(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda n: (parts[n] - exact[n], n))
    for n in by_remainder[: cents - sum(parts)]:
        parts[n] += 1
    return [part * CENT for part in parts]
