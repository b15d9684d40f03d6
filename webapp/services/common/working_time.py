"""Working time: how long somebody has waited, counted in the hours in which the firm works."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from models.identity import WEEKDAYS

Interval = tuple[dt.time, dt.time]
Hours = Mapping[int, Sequence[Interval]]  # by weekday; Monday is 0


def hours_of_week(settings: Mapping[str, Sequence[Sequence[str]]]) -> Hours:
    """The working hours as an organization has set them: `{"monday": [["09:00", "17:00"]], …}`.

    An interval that ends at 00:00 goes to the end of the day.
    """
    return {
        WEEKDAYS.index(day): [
            (dt.time.fromisoformat(start), dt.time.fromisoformat(end)) for start, end in intervals
        ]
        for day, intervals in settings.items()
    }


@dataclass(frozen=True)
class WorkingCalendar:
    """When a firm works: the intervals of each weekday in its time zone, without its holidays."""

    timezone: ZoneInfo
    hours: Hours
    holidays: Container[dt.date]

    def has_passed(self, since: dt.datetime, hours: float, now: dt.datetime) -> bool:
        """Whether at least so many working hours lie between the two moments."""
        wanted = dt.timedelta(hours=hours)
        passed = dt.timedelta(0)
        day, last = since.astimezone(self.timezone).date(), now.astimezone(self.timezone).date()
        # Who never works has nobody waiting; else a year holds more hours than can be asked for.
        while day <= last and any(self.hours.values()):
            passed += sum(
                (max(min(end, now) - max(start, since), dt.timedelta(0))
                 for start, end in self._intervals(day)), dt.timedelta(0),
            )  # fmt: skip
            if passed >= wanted:
                return True
            day += dt.timedelta(days=1)
        return False

    def _intervals(self, day: dt.date) -> list[tuple[dt.datetime, dt.datetime]]:
        """The working intervals of a day as moments; a change of the clocks makes them differ."""
        if day in self.holidays:
            return []
        return [
            (self._moment(day, start), self._moment(day, end, is_end=True))
            for start, end in self.hours.get(day.weekday(), ())
        ]

    def _moment(self, day: dt.date, time: dt.time, *, is_end: bool = False) -> dt.datetime:
        if is_end and time == dt.time(0):
            day += dt.timedelta(days=1)
        return dt.datetime.combine(day, time, self.timezone).astimezone(dt.UTC)
