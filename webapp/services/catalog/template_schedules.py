"""How an engagement template is invoiced: a schedule in days after the start, not on days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from webapp.services.billing.plans import MONTHS
from webapp.services.billing.schedules import shares_of
from webapp.services.common.exceptions import Invalid

# The name on a schedule's days, and that of the same in days after the start.
_RELATIVE = {
    "starts_on": "start_offset_days",
    "ends_on": "end_offset_days",
    "rest_on": "rest_offset_days",
}
_ANY_DAY = dt.date(2000, 1, 1)


def kept(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """A template's schedule as it is stored: JSON has no decimals; empty for none.

    Raises Invalid naming the fields below `schedule` that do not go together.
    """
    if given is None:
        return {}
    errors: dict[str, list[str]] = {}
    if given["kind"] in MONTHS and given.get("amount") is None:
        errors["amount"] = [f"A schedule of the kind {given['kind']} needs this."]
    ends = given.get("end_offset_days")
    if ends is not None and ends < given.get("start_offset_days", 0):
        errors["end_offset_days"] = ["This must not be before start_offset_days."]
    try:
        shares_of(dated(given, _ANY_DAY, Decimal(1)))
    except Invalid as error:
        for name, messages in error.errors.items():
            relative = _RELATIVE.get(name, name)
            errors[relative] = [text.replace(name, relative) for text in messages]
    if errors:
        raise Invalid({f"schedule.{name}": messages for name, messages in errors.items()})
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in given.items()
        if value is not None
    }


def dated(schedule: Mapping[str, Any], starts_on: dt.date, total: Decimal) -> dict[str, Any]:
    """What `create_schedule` takes, counted from a day on; `total` where it has no amount."""
    values: dict[str, Any] = {
        "kind": schedule["kind"],
        "name": schedule.get("name") or "Services",
        "amount": Decimal(schedule["amount"]) if schedule.get("amount") else total,
        "starts_on": _after(starts_on, schedule.get("start_offset_days") or 0),
    }
    for name in ("ends_on", "rest_on"):
        if schedule.get(_RELATIVE[name]) is not None:
            values[name] = _after(starts_on, schedule[_RELATIVE[name]])
    if schedule.get("deposit_percent") is not None:
        values["deposit_percent"] = schedule["deposit_percent"]
    if schedule.get("hours") is not None:
        values["hours"] = Decimal(schedule["hours"])
    if schedule.get("milestones") is not None:
        values["milestones"] = [
            {
                "name": each["name"],
                "percent": each["percent"],
                "on": _after(starts_on, each["offset_days"]),
            }
            for each in schedule["milestones"]
        ]
    return values


def terms(schedule: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same as the terms of a proposal; None where they have no such form.

    Those divide what is signed, from the day of the signature on.
    """
    if (
        schedule.get("kind") not in ("once", "deposit", "milestones")
        or schedule.get("amount")
        or schedule.get("start_offset_days")
    ):
        return None
    if schedule["kind"] == "once":
        return {"kind": "once"}
    if schedule["kind"] == "deposit":
        return {
            "kind": "deposit",
            "deposit_percent": schedule["deposit_percent"],
            "rest_after_days": schedule["rest_offset_days"],
        }
    return {
        "kind": "milestones",
        "milestones": [
            {"name": s["name"], "percent": s["percent"], "after_days": s["offset_days"]}
            for s in schedule["milestones"]
        ],
    }


def relative(schedule: Any, starts_on: dt.date, total: Decimal) -> dict[str, Any]:
    """An engagement's schedule as a template's; what lies before the start begins with it."""

    def days(day: dt.date | str) -> int:
        on = dt.date.fromisoformat(day) if isinstance(day, str) else day
        return max((on - starts_on).days, 0)

    found: dict[str, Any] = {
        "kind": schedule.kind,
        "name": schedule.name,
        "start_offset_days": days(schedule.starts_on),
    }
    if schedule.kind in MONTHS or schedule.amount != total:
        found["amount"] = schedule.amount
    if schedule.ends_on is not None:
        found["end_offset_days"] = days(schedule.ends_on)
    if schedule.hours is not None:
        found["hours"] = schedule.hours
    if schedule.kind == "deposit":
        deposit, rest = schedule.shares
        found |= {
            "deposit_percent": int(deposit["percent"]),
            "rest_offset_days": days(rest["on"]),
        }
    if schedule.kind == "milestones":
        found["milestones"] = [
            {"name": s["name"], "percent": int(s["percent"]), "offset_days": days(s["on"])}
            for s in schedule.shares
        ]
    return found


def _after(day: dt.date, days: int) -> dt.date:
    return day + dt.timedelta(days=days)
