"""Days and times as pages and mails show them."""

from __future__ import annotations

import pytest

from webapp.core.formats import day, moment


@pytest.mark.parametrize(
    ("timezone", "shown"),
    [
        ("Pacific/Kiritimati", "1 January 2027, 01:30 UTC+14"),
        ("Europe/Berlin", "31 December 2026, 12:30 CET"),
        ("Pacific/Pago_Pago", "31 December 2026, 00:30 SST"),
        ("UTC", "31 December 2026, 11:30 UTC"),
    ],
)
def test_a_moment_is_the_organizations_and_names_its_zone(timezone: str, shown: str) -> None:
    assert moment("2026-12-31T11:30:00Z", timezone) == shown
    assert day("2026-12-31T11:30:00Z", timezone) == shown.split(",")[0]
