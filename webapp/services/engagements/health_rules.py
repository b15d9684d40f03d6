"""How an engagement fares: what counts against it, and how much (rulings.md, *Health*)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.engagements import AT_RISK, ATTENTION, OK
from webapp.services.common.working_time import WorkingCalendar

# So many kinds of reasons at once put an engagement at risk, whatever each of them weighs.
KINDS_AT_RISK = 3
MOST_REASONS = 100


@dataclass(frozen=True)
class Thresholds:
    """From when on a fact counts, by the organization's settings."""

    idle_days: int = 14
    unanswered_hours: int = 8
    contract_ending_days: int = 30
    at_risk_days: int = 14


@dataclass(frozen=True)
class Fact:
    """Something about an engagement that may count against it.

    `day` is when it was due (or ends), `since` the moment it has waited from: each kind has one.
    """

    kind: str
    id: UUID
    name: str
    day: dt.date | None = None
    since: dt.datetime | None = None


@dataclass(frozen=True)
class Judgement:
    """An engagement's health: its status, and the reasons for it, the gravest first."""

    status: str
    reasons: list[dict[str, Any]]


def judge(
    facts: Sequence[Fact],
    thresholds: Thresholds,
    calendar: WorkingCalendar,
    *,
    now: dt.datetime,
    today: dt.date,
) -> Judgement:
    """Judge an engagement by its facts.

    It is at risk when something has been overdue for `at_risk_days`, or when there are reasons of
    three kinds; it needs attention when there is any reason at all.
    """
    counted = []
    for fact in facts:
        if fact.kind == "message_unanswered" and not (
            fact.since and calendar.has_passed(fact.since, thresholds.unanswered_hours, now)
        ):
            continue
        counted.append((_days_over(fact, today), fact))
    counted.sort(key=lambda pair: (-pair[0], pair[1].kind, str(pair[1].id)))
    grave = any(days >= thresholds.at_risk_days for days, _ in counted)
    if grave or len({fact.kind for _, fact in counted}) >= KINDS_AT_RISK:
        status = AT_RISK
    else:
        status = ATTENTION if counted else OK
    reasons = [
        {"kind": fact.kind, "id": str(fact.id), "detail": _detail(fact, days)}
        for days, fact in counted[:MOST_REASONS]
    ]
    return Judgement(status, reasons)


def _days_over(fact: Fact, today: dt.date) -> int:
    """For how many days it has been overdue; nothing else gets graver by itself."""
    return max((today - fact.day).days, 0) if fact.day and fact.kind.endswith("overdue") else 0


def _detail(fact: Fact, days: int) -> str:
    if fact.kind == "project_idle":
        assert fact.since is not None
        return f"{fact.name} has been in its phase since {fact.since.date().isoformat()}."
    if fact.kind == "message_unanswered":
        assert fact.since is not None
        since = f"{fact.since.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
        return f"A message in {fact.name} has waited for an answer since {since}."
    assert fact.day is not None
    if fact.kind == "contract_ending":
        return f"{fact.name} ends on {fact.day.isoformat()}."
    overdue = "1 day" if days == 1 else f"{days} days"
    return f"{fact.name} was due on {fact.day.isoformat()}, {overdue} ago."
