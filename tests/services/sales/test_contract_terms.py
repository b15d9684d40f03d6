"""A contract's next term begins the day after it ends and is as long."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.services.sales.contract_terms import next_term

DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1))


@pytest.mark.parametrize(
    ("start", "end", "following"),
    [
        ("2026-01-01", "2026-12-31", ("2027-01-01", "2027-12-31")),
        ("2027-03-01", "2028-02-29", ("2028-03-01", "2029-02-28")),
        ("2026-01-01", "2026-01-31", ("2026-02-01", "2026-02-28")),
        ("2026-01-15", "2026-07-14", ("2026-07-15", "2027-01-14")),
        ("2026-01-01", "2026-01-10", ("2026-01-11", "2026-01-20")),
        ("2026-01-01", "2026-01-01", ("2026-01-02", "2026-01-02")),
    ],
)
def test_a_term_of_whole_months_is_followed_by_as_many_and_others_by_as_many_days(
    start: str, end: str, following: tuple[str, str]
) -> None:
    found = next_term(dt.date.fromisoformat(start), dt.date.fromisoformat(end))
    assert found is not None
    assert (found[0].isoformat(), found[1].isoformat()) == following


@given(DAYS, st.integers(0, 4000))
def test_terms_follow_each_other_without_a_gap_or_an_overlap(start: dt.date, days: int) -> None:
    end = start + dt.timedelta(days)
    found = next_term(start, end)
    assert found is not None
    assert found[0] == end + dt.timedelta(1)
    assert found[1] >= found[0]
    # February makes months of unequal length, and a year a day longer.
    assert abs((found[1] - found[0]).days - days) <= 4


def test_there_is_no_term_beyond_the_calendar() -> None:
    assert next_term(dt.date(9000, 1, 1), dt.date(9999, 12, 31)) is None
    assert next_term(dt.date(9000, 1, 1), dt.date(9999, 12, 30)) is None
