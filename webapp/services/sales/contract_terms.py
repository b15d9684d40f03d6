"""The dates of a contract's next term: pure."""

from __future__ import annotations

import datetime as dt

from webapp.services.billing.plans import add_months

_DAY = dt.timedelta(days=1)


def next_term(start: dt.date, end: dt.date) -> tuple[dt.date, dt.date] | None:
    """First and last day of the term after the one from `start` to `end`, both included.

    A term of whole months is followed by one of as many months, any other by one of as many days.
    None beyond the calendar.
    """
    try:
        first = end + _DAY
        months = (first.year - start.year) * 12 + first.month - start.month
        if months and add_months(start, months) == first:
            after = add_months(first, months)
            return None if after is None else (first, after - _DAY)
        return first, first + (end - start)
    except OverflowError:
        return None
