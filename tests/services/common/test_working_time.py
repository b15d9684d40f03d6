"""Working hours between two moments: weekends, holidays and the change of the clocks."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from webapp.services.common.working_time import WorkingCalendar, hours_of_week
from webapp.services.identity.organization import DEFAULTS, public_holidays

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = WorkingCalendar(BERLIN, hours_of_week(DEFAULTS["working_hours"]), frozenset())


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-03-02 09:00", "2026-03-02 17:00", 8),
        ("2026-03-02 15:00", "2026-03-03 10:00", 3),
        ("2026-03-06 16:00", "2026-03-09 10:00", 2),  # a weekend lies between
        ("2026-03-07 09:00", "2026-03-08 20:00", 0),
        ("2026-03-02 20:00", "2026-03-02 23:00", 0),
    ],
)
def test_only_the_hours_in_which_the_firm_works_count(since: str, until: str, hours: int) -> None:
    assert OFFICE.has_passed(at(since), hours, at(until))
    assert not OFFICE.has_passed(at(since), hours + 0.01, at(until))


def test_a_public_holiday_does_not_count() -> None:
    closed = WorkingCalendar(BERLIN, OFFICE.hours, public_holidays("DE-BE"))
    # Women's Day is a holiday in Berlin; in 2027 it is a Monday.
    assert not closed.has_passed(at("2027-03-08 09:00"), 0.01, at("2027-03-08 17:00"))
    elsewhere = WorkingCalendar(BERLIN, OFFICE.hours, public_holidays("DE-BY"))
    assert elsewhere.has_passed(at("2027-03-08 09:00"), 8, at("2027-03-08 17:00"))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clocks_change_has_its_own_length(day: str, hours: int) -> None:
    always = WorkingCalendar(BERLIN, hours_of_week({"sunday": [["00:00", "00:00"]]}), frozenset())
    start = at(f"{day} 00:00")
    end = start + dt.timedelta(days=1)
    assert always.has_passed(start, hours, end)
    assert not always.has_passed(start, hours + 0.01, end)


def test_a_firm_without_working_hours_lets_nobody_wait() -> None:
    never = WorkingCalendar(BERLIN, hours_of_week({"monday": []}), frozenset())
    assert not never.has_passed(at("2016-01-01 00:00"), 1, at("2026-01-01 00:00"))
