"""When a schedule bills how much: pure, so that a preview and the invoices cannot differ."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from webapp.services.billing.totals import split

# How many months a period of a recurring kind has; a retainer is monthly, with hours.
MONTHS = {"monthly": 1, "retainer": 1, "quarterly": 3, "yearly": 12}


@dataclass(frozen=True, slots=True)
class Part:
    """One invoice to come: the day it is drafted, its net amount, and what it is called.

    That of a period is for the work from that day `until` another.
    """

    on: dt.date
    amount: Decimal
    name: str
    until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a schedule says, whether it is kept already or not.

    Each period of a recurring kind has the `amount`, unless they share a `total`: then it is split
    among them to the cent, the larger ones first.
    """

    kind: str
    name: str
    amount: Decimal
    starts_on: dt.date
    ends_on: dt.date | None = None
    shares: Sequence[Any] = ()
    hours: Decimal | None = None
    total: Decimal | None = None

    def parts(self) -> Iterator[Part]:
        """All invoices in the order of their days; without end for a recurring kind without one."""
        if self.kind in MONTHS:
            return self._periods()
        return iter(self._shares())

    def after(self, day: dt.date) -> dt.date | None:
        """The first day after this one on which an invoice is due."""
        return next((part.on for part in self.parts() if part.on > day), None)

    def on(self, day: dt.date) -> list[Part]:
        """The parts that are due on this very day."""
        before = itertools.takewhile(lambda part: part.on <= day, self.parts())
        return [part for part in before if part.on == day]

    def _shares(self) -> list[Part]:
        if not self.shares:
            return [Part(self.starts_on, self.amount, self.name)]
        amounts = split(self.amount, [Decimal(share["percent"]) for share in self.shares])
        parts = [
            Part(dt.date.fromisoformat(share["on"]), amount, f"{self.name}: {share['name']}"[:255])
            for share, amount in zip(self.shares, amounts, strict=True)
        ]
        return sorted(parts, key=lambda part: part.on)

    def _periods(self) -> Iterator[Part]:
        firsts: Iterable[dt.date] = self._first_days()
        amounts: Iterable[Decimal] = itertools.repeat(self.amount)
        if self.total is not None:
            firsts = list(firsts)
            amounts = split(self.total, [Decimal(1)] * len(firsts))
        for n, (first, amount) in enumerate(zip(firsts, amounts, strict=False)):
            following = add_months(self.starts_on, (n + 1) * MONTHS[self.kind])
            last = (following or dt.date.max) - dt.timedelta(days=1)
            hours = f", {self.hours.normalize():f} hours" if self.hours is not None else ""
            told = f"{self.name[:200]}{hours}, {first.isoformat()} to {last.isoformat()}"
            yield Part(first, amount, told, until=last)

    def _first_days(self) -> Iterator[dt.date]:
        for n in itertools.count():
            first = add_months(self.starts_on, n * MONTHS[self.kind])
            if first is None or (self.ends_on is not None and first > self.ends_on):
                return
            yield first


def add_months(day: dt.date, months: int) -> dt.date | None:
    """The same day so many months later, or the last of that month when it is shorter.

    None after the year 9999.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > dt.MAXYEAR:
        return None
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(day.day, last))
