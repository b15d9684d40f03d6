"""When a schedule bills how much."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.services.billing.plans import Plan

D = Decimal


def plan(kind: str, starts_on: str = "2026-01-31", **more: Any) -> Plan:
    given_ = {"name": "Care", "amount": D("100.00"), **more}
    return Plan(kind=kind, starts_on=dt.date.fromisoformat(starts_on), **given_)


def days(plan_: Plan, count: int) -> list[str]:
    return [part.on.isoformat() for part in itertools.islice(plan_.parts(), count)]


@pytest.mark.parametrize(
    ("kind", "starts_on", "wanted"),
    [
        ("monthly", "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("monthly", "2027-11-30", ["2027-11-30", "2027-12-30", "2028-01-30", "2028-02-29"]),
        ("quarterly", "2026-11-30", ["2026-11-30", "2027-02-28", "2027-05-30", "2027-08-30"]),
        ("yearly", "2024-02-29", ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28"]),
    ],
)
def test_a_period_begins_on_the_day_of_the_month_or_the_last_of_a_shorter_one(
    kind: str, starts_on: str, wanted: list[str]
) -> None:
    assert days(plan(kind, starts_on), 4) == wanted


def test_a_recurring_schedule_ends_on_its_last_day() -> None:
    ending = plan("monthly", "2026-01-31", ends_on=dt.date(2026, 3, 31))
    assert days(ending, 10) == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert ending.after(dt.date(2026, 3, 31)) is None


def test_a_period_says_from_when_to_when_it_goes() -> None:
    [first] = itertools.islice(plan("retainer", "2026-01-15", hours=D("10.00")).parts(), 1)
    assert first.name == "Care, 10 hours, 2026-01-15 to 2026-02-14"


def test_a_schedule_without_end_ends_with_the_calendar() -> None:
    assert days(plan("yearly", "9998-06-01"), 5) == ["9998-06-01", "9999-06-01"]


@given(
    st.decimals(min_value=D("0.01"), max_value=1_000_000, places=2),
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
)
def test_the_parts_of_a_whole_add_up_to_it(amount: Decimal, weights: list[int]) -> None:
    total = sum(weights)
    shares = [
        {"name": str(n), "percent": str(D(100) * weight / total), "on": f"2026-02-{n + 1:02}"}
        for n, weight in enumerate(weights)
    ]
    parts = list(plan("milestones", amount=amount, shares=shares).parts())
    assert sum((part.amount for part in parts), D(0)) == amount
    assert [part.on for part in parts] == sorted(part.on for part in parts)
