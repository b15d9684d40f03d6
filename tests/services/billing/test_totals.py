"""What lines come to: exact to the cent, by the rules of EN 16931."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.services.billing.totals import CENT, line_total, rounded, split, totals_of

D = Decimal
AMOUNTS = st.decimals(min_value=0, max_value=1_000_000, places=2)
RATES = st.sampled_from([D("0.00"), D("7.00"), D("19.00"), D("5.50")])


def line(quantity: str, price: str, rate: str, *, discount: str = "0") -> dict[str, Any]:
    made: dict[str, Any] = {
        "quantity": D(quantity), "price": D(price), "discount": D(discount), "tax_rate": D(rate),
        "tax_category": "standard" if D(rate) else "zero",
    }  # fmt: skip
    return made | {"total": line_total(made)}


def test_tax_is_rounded_once_for_each_rate_and_not_for_each_line() -> None:
    # Three lines of 0.03 at 19 %: each would have 0.01 tax by itself, together they have 0.02.
    found = totals_of([line("1", "0.03", "19")] * 3)
    assert (found.subtotal, found.tax, found.total) == (D("0.09"), D("0.02"), D("0.11"))


def test_each_rate_has_its_own_group() -> None:
    found = totals_of(
        [line("2.5", "80", "19"), line("1", "10", "7"), line("3", "5", "0", discount="5")]
    )
    assert [(g.category, g.rate, g.net, g.tax) for g in found.groups] == [
        ("standard", D("7.00"), D("10.00"), D("0.70")),
        ("standard", D("19.00"), D("200.00"), D("38.00")),
        ("zero", D("0.00"), D("10.00"), D("0.00")),
    ]
    assert found.total == D("258.70")


@pytest.mark.parametrize(
    ("quantity", "price", "total"),
    [("0.333", "100.00", "33.30"), ("1.005", "1.00", "1.01"), ("1.5", "0.01", "0.02")],
)
def test_a_line_is_rounded_half_up(quantity: str, price: str, total: str) -> None:
    assert line(quantity, price, "0")["total"] == D(total)


@given(st.lists(st.tuples(AMOUNTS, RATES), min_size=1, max_size=20))
def test_the_total_is_net_and_tax_and_the_order_of_lines_does_not_matter(
    lines: list[tuple[Decimal, Decimal]],
) -> None:
    given_lines = [line("1", str(amount), str(rate)) for amount, rate in lines]
    found = totals_of(given_lines)
    assert found.subtotal == sum((amount for amount, _ in lines), D(0))
    assert found.total == found.subtotal + found.tax
    assert found == totals_of(reversed(given_lines))
    for group in found.groups:
        assert group.tax == rounded(group.net * group.rate / 100)


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=20))
def test_a_split_adds_up_and_each_part_is_within_a_cent_of_its_share(
    amount: Decimal, weights: list[Decimal]
) -> None:
    if not any(weights):
        with pytest.raises(ValueError, match="nothing to split by"):
            split(amount, weights)
        return
    parts = split(amount, weights)
    assert sum(parts, D(0)) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - amount * weight / sum(weights)) < CENT
