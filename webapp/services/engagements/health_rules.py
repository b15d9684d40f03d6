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
REASONS = (
    "task_overdue", "milestone_overdue", "invoice_overdue", "project_idle", "message_unanswered",
    "contract_ending",
)  # fmt: skip
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
    """Something about an engagement that counts against it, or will.

    `day` is when it is due (or ends), `since` the moment it has waited from: each kind has one. Of
    what is not due yet only the next day is given, as `due_next`.
    """

    kind: str
    id: UUID
    name: str
    day: dt.date | None = None
    since: dt.datetime | None = None


@dataclass(frozen=True)
class Judgement:
    """An engagement's health: its status, the reasons for it, and when to look again.

    The gravest reason comes first. `check_at` is the next moment at which it may be another because
    time has passed; None when only something that happens can change it.
    """

    status: str
    reasons: list[dict[str, Any]]
    check_at: dt.datetime | None


@dataclass(frozen=True)
class Judge:
    """An organization's rules, at a moment."""

    thresholds: Thresholds
    calendar: WorkingCalendar
    now: dt.datetime

    @property
    def today(self) -> dt.date:
        return self.now.astimezone(self.calendar.timezone).date()

    def judge(self, facts: Sequence[Fact]) -> Judgement:
        """Judge an engagement by its facts.

        It is at risk when something has been overdue for `at_risk_days`, or when there are reasons
        of three kinds; it needs attention when there is any reason at all.
        """
        counted = sorted(
            (fact for fact in facts if self._counts_from(fact) <= self.now),
            key=lambda fact: (-self._days_overdue(fact), fact.kind, str(fact.id)),
        )
        grave = any(self._days_overdue(fact) >= self.thresholds.at_risk_days for fact in counted)
        if grave or len({fact.kind for fact in counted}) >= KINDS_AT_RISK:
            status = AT_RISK
        else:
            status = ATTENTION if counted else OK
        reasons = [
            {"kind": fact.kind, "id": str(fact.id), "detail": _detail(fact)}
            for fact in counted[:MOST_REASONS]
        ]
        return Judgement(status, reasons, self._check_at(facts, status))

    def _counts_from(self, fact: Fact) -> dt.datetime:
        """From when on the fact counts; for a message at the latest, for it waits working hours."""
        thresholds = self.thresholds
        if fact.kind == "project_idle":
            assert fact.since is not None
            return fact.since + dt.timedelta(days=thresholds.idle_days)
        if fact.kind == "message_unanswered":
            assert fact.since is not None
            if self.calendar.has_passed(fact.since, thresholds.unanswered_hours, self.now):
                return fact.since
            return self.now + dt.timedelta(hours=1)
        assert fact.day is not None
        if fact.kind == "contract_ending":
            return self._midnight(fact.day - dt.timedelta(days=thresholds.contract_ending_days))
        return self._midnight(fact.day + dt.timedelta(days=1))

    def _check_at(self, facts: Sequence[Fact], status: str) -> dt.datetime | None:
        moments = [self._counts_from(fact) for fact in facts]
        if status != AT_RISK:
            grave = dt.timedelta(days=self.thresholds.at_risk_days)
            moments += [
                self._midnight(fact.day + grave)
                for fact in facts
                if fact.day is not None and fact.kind.endswith("overdue")
            ]
        return min((moment for moment in moments if moment > self.now), default=None)

    def _midnight(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(), self.calendar.timezone)

    def _days_overdue(self, fact: Fact) -> int:
        """For how many days it has been overdue; nothing else gets graver by itself."""
        if fact.day is None or not fact.kind.endswith("overdue"):
            return 0
        return max((self.today - fact.day).days, 0)


def _detail(fact: Fact) -> str:
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
    return f"{fact.name} was due on {fact.day.isoformat()}."
