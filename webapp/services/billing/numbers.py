"""Numbers for people: one series for each kind of document and organization."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from models.db.base import uuid7
from models.db.queries import execute
from models.db.tenancy import current_organization_id

PREFIXES = {"proposal": "P", "contract": "C", "order": "O"}

_NEXT = """
    INSERT INTO number_series (organization_id, id, series, last)
    VALUES (%(organization_id)s, %(id)s, %(series)s, %(count)s)
    ON CONFLICT (organization_id, series) DO UPDATE SET last = number_series.last + excluded.last
    RETURNING last"""

_takes_none: ContextVar[bool] = ContextVar("takes_no_numbers", default=False)


def next_number(series: str) -> str:
    """The next number of a series, such as `O-00042`. As `next_numbers`."""
    [number] = next_numbers(series, 1)
    return number


def next_numbers(series: str, count: int) -> list[str]:
    """The next so many numbers of a series; a rollback gives them back.

    The series stays locked until the transaction ends, so take them as late as can be. Inside
    `no_numbers` they are unique texts instead, and nothing is locked.
    """
    if _takes_none.get():
        return [uuid7().hex for _ in range(count)]
    if not count:
        return []
    last = _last_of(series, count)
    return [f"{PREFIXES[series]}-{n:05d}" for n in range(last - count + 1, last + 1)]


def next_billing_number(series: str, pattern: str, year: int) -> str:
    """The next number of final invoices or credit notes by the organization's pattern.

    With the year in the pattern each year has a series of its own. A rollback gives the number
    back, so there is no gap; the series stays locked until the transaction ends.
    """
    of_year = f"{series}:{year}" if "{year}" in pattern else series
    return pattern.format(year=year, n=_last_of(of_year, 1))


def _last_of(series: str, count: int) -> int:
    keys = {"organization_id": current_organization_id(), "id": uuid7(), "series": series}
    [row] = execute(_NEXT, {**keys, "count": count})
    last: int = row["last"]
    return last


@contextmanager
def no_numbers() -> Iterator[None]:
    """Let the block make documents without taking numbers, for what is rolled back after it."""
    token = _takes_none.set(True)
    try:
        yield
    finally:
        _takes_none.reset(token)
