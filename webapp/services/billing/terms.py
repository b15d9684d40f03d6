"""How an agreement says it is invoiced, from the offer to the schedule (rulings.md, *Terms*).

Terms are kept as JSON, as they are frozen and signed: days that count from the signature stay
numbers until it is there. Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from webapp.services.billing.plans import MONTHS, Plan, add_months
from webapp.services.billing.totals import split
from webapp.services.common.days import in_words

ONCE: Mapping[str, Any] = {"kind": "once"}
_PERIODS = {
    "monthly": "monthly",
    "retainer": "monthly",
    "quarterly": "quarterly",
    "yearly": "yearly",
}


def kept(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Terms as they are kept: what JSON has no form for becomes text."""
    if given is None:
        return None
    return {name: _kept(value) for name, value in given.items() if value is not None}


def _kept(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, list):
        return [kept(each) for each in value]
    return value


def scheduled(terms: Mapping[str, Any] | None, total: Decimal, day: dt.date) -> dict[str, Any]:
    """The schedule that bills a total by the terms, agreed on this day: its fields.

    What lies before that day is due on it.
    """
    terms = terms or ONCE
    kind = terms["kind"]
    start = _day(terms, "starts_on", None, day)
    values: dict[str, Any] = {"kind": kind, "amount": total, "starts_on": start}
    if kind == "deposit":
        percent = terms["deposit_percent"]
        rest = _day(terms, "rest_on", "rest_after_days", start)
        values["shares"] = [
            {"name": "deposit", "percent": str(percent), "on": start.isoformat()},
            {"name": "rest", "percent": str(100 - percent), "on": rest.isoformat()},
        ]
    elif kind == "milestones":
        values["shares"] = [
            {
                "name": each["name"],
                "percent": str(each["percent"]),
                "on": _day(each, "on", "after_days", start).isoformat(),
            }
            for each in terms["milestones"]
        ]
    elif kind in MONTHS:
        after = add_months(start, terms["periods"] * MONTHS[kind])
        last = (after or dt.date.max) - dt.timedelta(days=1)
        values |= {"amount": _period(terms, total)[-1], "total": total, "ends_on": last}
        if kind == "retainer":
            values["hours"] = Decimal(terms["hours"])
    return values


def planned(terms: Mapping[str, Any] | None, name: str, total: Decimal, day: dt.date) -> Plan:
    """The plan of invoices that the terms make of a total that is agreed on this day."""
    return Plan(name=name, **scheduled(terms, total, day))


def names_days(terms: Mapping[str, Any] | None) -> bool:
    """Whether the terms hold for one term alone: they name days instead of counting them."""
    if terms is None:
        return False
    named = ("starts_on", "rest_on")
    return any(name in terms for name in named) or any(
        "on" in each for each in terms.get("milestones", ())
    )


def told(
    terms: Mapping[str, Any] | None, total: Decimal, *, start: str = "signing"
) -> list[tuple[str, str]]:
    """The terms in words: when, and how much (net), each as a text.

    `start` is what days without a date count from: the signature, or what begins later.
    """
    if terms is None:
        return []
    kind = terms["kind"]
    first = _when(terms.get("starts_on"), 0, start)
    if kind == "once":
        return [(_sentence(first), f"{total:,.2f}")]
    if kind in MONTHS:
        amounts = _period(terms, total)
        how = f"{terms['periods']} {_PERIODS[kind]} invoices, the first {first}"
        if kind == "retainer":
            how += f", for {Decimal(terms['hours']).normalize():f} hours each"
        most, least = f"{amounts[0]:,.2f}", f"{amounts[-1]:,.2f}"
        return [(how, f"{most} each" if most == least else f"{least} each, at first {most}")]
    if kind == "deposit":
        percents = [terms["deposit_percent"], 100 - terms["deposit_percent"]]
        rest = _when(terms.get("rest_on"), terms.get("rest_after_days"), start)
        names = [f"Deposit {first}", f"The rest {rest}"]
    else:
        percents = [each["percent"] for each in terms["milestones"]]
        names = [
            f"{each['name']}, {_when(each.get('on'), each.get('after_days'), start)}"
            for each in terms["milestones"]
        ]
    amounts = split(total, [Decimal(percent) for percent in percents])
    return [
        (f"{name} ({percent} %)", f"{amount:,.2f}")
        for name, percent, amount in zip(names, percents, amounts, strict=True)
    ]


def _period(terms: Mapping[str, Any], total: Decimal) -> list[Decimal]:
    return split(total, [Decimal(1)] * terms["periods"])


def _day(terms: Mapping[str, Any], on: str, after: str | None, start: dt.date) -> dt.date:
    """The day that is named, or so many days after the start; never before the start."""
    if terms.get(on) is not None:
        return max(dt.date.fromisoformat(terms[on]), start)
    return start + dt.timedelta(days=terms.get(after, 0) if after else 0)


def _when(on: str | None, after_days: int | None, start: str) -> str:
    if on is not None:
        return f"on {in_words(dt.date.fromisoformat(on))}"
    if not after_days:
        return f"on {start}"
    return f"{after_days} {'day' if after_days == 1 else 'days'} after {start}"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
