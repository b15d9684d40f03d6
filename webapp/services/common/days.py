"""Days in words, the same on every machine: strftime's names would follow the server's locale."""

from __future__ import annotations

import datetime as dt

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def in_words(day: dt.date) -> str:
    """A day, for example `3 March 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
