"""Days are the organization's, by the database's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from models.db.base import db
from models.db.tenancy import current_transaction
from tests.support.pdf import pages
from tests.support.tenants import Api, Tenant
from webapp.services.common.writes import today


def _move_to(tenant: Tenant, timezone: str) -> None:
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE organizations SET timezone = :zone WHERE id = :id"),
            {"zone": timezone, "id": tenant.id},
        )
    )


# At any time, one of the two is in another day than UTC is.
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_what_a_signature_creates_begins_on_the_organizations_day(
    api: Api, tenant: Tenant, timezone: str
) -> None:
    _move_to(tenant, timezone)
    assert api.sign(api.send_proposal()).status == 202
    tenant.run_jobs()
    for table, day in (
        ("contracts", "start_date::text"),
        ("engagements", "start_date::text"),
        ("projects", "start_date::text"),
        ("invoice_schedules", "starts_on::text"),
        ("invoices", "period"),
    ):
        rows = tenant.rows(
            f"SELECT {day} AS day, (created_at AT TIME ZONE %(zone)s)::date::text AS there"
            f" FROM {table} WHERE organization_id = %(organization_id)s",
            zone=timezone,
        )
        assert rows
        assert all(row["day"] == row["there"] for row in rows), (table, rows)


@pytest.mark.parametrize(
    ("timezone", "moment", "day"),
    [
        ("UTC", datetime(2026, 6, 1, 23, 59, tzinfo=UTC), date(2026, 6, 1)),
        ("Pacific/Kiritimati", datetime(2026, 12, 31, 10, 0, tzinfo=UTC), date(2027, 1, 1)),
        # Clocks go forward on 8 March 2026: midnight is at 5:00 UTC before it, at 4:00 after.
        ("America/New_York", datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7)),
        ("America/New_York", datetime(2026, 3, 9, 4, 0, tzinfo=UTC), date(2026, 3, 9)),
        # They go back on 25 October 2026: midnight is at 22:00 UTC before it, at 23:00 after.
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 0, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2026, 10, 25)),
    ],
)
def test_a_day_ends_at_the_organizations_midnight(
    tenant: Tenant, timezone: str, moment: datetime, day: date
) -> None:
    _move_to(tenant, timezone)

    def at_that_moment() -> date:
        current_transaction().now = moment
        return today()

    assert tenant.run(at_that_moment) == day


def test_the_signed_document_is_dated_where_the_organization_is(api: Api, tenant: Tenant) -> None:
    _move_to(tenant, "Pacific/Kiritimati")
    proposal = api.send_proposal()
    assert api.sign(proposal).status == 202
    tenant.run_jobs()
    certificate = pages(api.get(f"/api/proposals/{proposal['id']}/signed.pdf").content)[1]
    signed_at = datetime.fromisoformat(
        api.get(f"/api/proposals/{proposal['id']}").json["signed_at"]
    )
    there = signed_at.astimezone(ZoneInfo("Pacific/Kiritimati"))
    assert f"{there:%H:%M:%S}UTC+14:00" in certificate
    assert "Pacific/Kiritimati" in certificate
