"""Fees for late payment: drafted once for each period, for a person to finalize or delete."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.billing import Billing
from tests.support.tenants import Api, Tenant
from webapp.services.billing.late_fees import draft_late_fees
from webapp.services.billing.plans import add_months

TODAY = dt.datetime.now(dt.UTC).date()
FIXED = {"after_days": 10, "amount": "40.00"}
INTEREST = {"after_days": 1, "percent": "9.00"}


def charge(api: Api, rule: dict[str, Any] | None) -> None:
    assert api.put("/api/organization", {"late_fee": rule}).status == 200


def overdue(billing: Billing, due: dt.date, *prices: str) -> dict[str, Any]:
    return billing.final(*prices, issued_on=due.isoformat(), due_date=due.isoformat())


def fees(billing: Billing, tenant: Tenant) -> list[dict[str, Any]]:
    """The late fees there are after beat has asked twice, with their lines, in order."""
    for _ in range(2):
        tenant.run(draft_late_fees)
    found = billing.api.get("/api/invoices").json["data"]
    made = [billing.read(row) for row in found if row["late_fee_of"]]
    return sorted(made, key=lambda row: row["id"])


def months_before(months: int) -> dt.date:
    found = add_months(TODAY, -months)
    assert found is not None
    return found


def test_by_default_none_is_charged(billing: Billing, tenant: Tenant) -> None:
    overdue(billing, TODAY - dt.timedelta(days=300))
    assert fees(billing, tenant) == []


def test_a_fixed_fee_is_drafted_once_after_its_days(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    charge(api, FIXED)
    late = overdue(billing, TODAY - dt.timedelta(days=10))
    overdue(billing, TODAY - dt.timedelta(days=9))
    [fee] = fees(billing, tenant)
    assert (fee["status"], fee["total"], fee["late_fee_of"]) == ("Draft", "40.00", late["id"])
    assert late["number"] in fee["lines"][0]["name"]
    assert billing.read(late)["late_fees"] == 1
    api.delete(f"/api/invoices/{fee['id']}")
    assert fees(billing, tenant) == [], "who deleted it does not want it"


def test_interest_is_charged_for_each_month_once_and_together_where_several_are_due(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    late = overdue(billing, months_before(3), "10000.00")
    billing.pay(late, "1900.00")
    charge(api, INTEREST)
    [fee] = fees(billing, tenant)
    due = dt.date.fromisoformat(late["due_date"])
    last = add_months(due, 3)
    assert last is not None
    expected = round(10000 * 0.09 * (last - due).days / 365 + 1e-9, 2)
    assert fee["total"] == f"{expected:.2f}"
    assert (fee["service_from"], fee["service_until"]) == (due.isoformat(), last.isoformat())
    assert billing.read(late)["late_fees"] == 3


def test_no_interest_is_charged_before_a_month_is_over_nor_on_what_was_paid(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    charge(api, INTEREST)
    overdue(billing, months_before(1) + dt.timedelta(days=1))
    paid = overdue(billing, months_before(2))
    billing.pay(paid, "119.00")
    assert fees(billing, tenant) == []


def test_a_fee_is_finalized_like_any_invoice_and_bears_no_fee_itself(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    charge(api, FIXED)
    day = (TODAY - dt.timedelta(days=60)).isoformat()
    overdue(billing, TODAY - dt.timedelta(days=90))
    [fee] = fees(billing, tenant)
    api.put(f"/api/invoices/{fee['id']}", {"issued_on": day, "due_date": day})
    final = billing.act(fee, "finalize")
    assert (final["tax"], final["is_overdue"]) == ("0.00", True)
    assert "late payment" in final["tax_groups"][0]["reason"]
    assert len(fees(billing, tenant)) == 1


def test_a_closed_engagement_is_charged_none(api: Api, billing: Billing, tenant: Tenant) -> None:
    charge(api, FIXED)
    overdue(billing, TODAY - dt.timedelta(days=30))
    api.put(f"/api/engagements/{billing.engagement['id']}", {"status": "Closed"})
    assert fees(billing, tenant) == []


def test_beat_s_job_drafts_the_fee_and_tells_of_it(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    from tasks.billing import notice_overdue

    charge(api, FIXED)
    late = overdue(billing, TODAY - dt.timedelta(days=30))
    tenant.run(lambda: notice_overdue({}))
    tenant.run_jobs("activity.record")
    events = tenant.rows(
        "SELECT type FROM activity_events WHERE organization_id = %(organization_id)s"
        " AND entity_id = %(id)s",
        id=late["id"],
    )
    assert "late_fee_drafted" in [row["type"] for row in events]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"after_days": 10}, "late_fee.amount"),
        ({**FIXED, "percent": "9.00"}, "late_fee.amount"),
        ({"after_days": 10, "amount": "0.00"}, "late_fee.amount"),
        ({"after_days": 10, "percent": "0.00"}, "late_fee.percent"),
        ({"amount": "1.00"}, "late_fee.after_days"),
    ],
)
def test_a_late_fee_is_an_amount_or_a_percentage(
    api: Api, rule: dict[str, Any], field: str
) -> None:
    answer = api.put("/api/organization", {"late_fee": rule})
    assert (answer.status, list(answer.json["errors"])) == (422, [field])
