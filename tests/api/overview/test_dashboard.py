"""The dashboard: each number is what its list counts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.support.billing import Billing, ready_to_bill
from tests.support.tenants import Api, Tenant
from webapp.services.engagements.health import look_at_all, sweep


def counted(api: Api, query: str) -> int:
    sign = "&" if "?" in query else "?"
    total: int = api.get(f"{query}{sign}include=total").json["meta"]["total"]
    return total


def busy(api: Api, tenant: Tenant) -> Billing:
    """A firm with something of everything that is counted."""
    billing = ready_to_bill(api, tenant)
    api.sign(api.send_proposal())
    api.send_proposal()
    tenant.run_jobs()
    billing.final("100.00", issued_on="2026-01-01", due_date="2026-01-31")
    billing.final("50.00")
    billing.draft()
    project = api.made("/api/projects", {"name": "x", "engagement_id": billing.engagement["id"]})
    path = f"/api/projects/{project['id']}/tasks"
    api.made(path, {"name": "late", "due_date": "2026-01-01"})
    api.made(path, {"name": "done", "due_date": "2026-01-01", "status": "Completed"})

    def judge() -> None:
        look_at_all()
        sweep()

    tenant.run(judge)
    return billing


def test_each_number_is_what_its_list_counts(api: Api, tenant: Tenant) -> None:
    busy(api, tenant)
    found = api.get("/api/dashboard").json
    for group in [*found["engagements"], *found["health_reasons"]]:
        assert counted(api, group["query"]) == group["count"], group
    for name in ("overdue_invoices", "overdue_tasks", "signatures_waiting"):
        assert found[name]["count"] == counted(api, found[name]["query"]) == 1, name
    assert {reason["kind"] for reason in found["health_reasons"]} == {
        "invoice_overdue", "task_overdue",
    }  # fmt: skip
    assert found["overdue_invoices"]["amounts"] == [
        {"currency": "EUR", "count": 1, "amount": "119.00"}
    ]


def amounts(found: dict[str, Any], name: str, currency: str) -> tuple[str, str]:
    [one] = [each for each in found[name]["amounts"] if each["currency"] == currency]
    return one["this_month"], one["last_month"]


def test_what_was_signed_and_billed_is_told_by_month(api: Api, tenant: Tenant) -> None:
    busy(api, tenant)
    first = dt.datetime.now(dt.UTC).date().replace(day=1)
    last = first - dt.timedelta(days=1)
    billing = ready_to_bill(api, tenant, "Other")
    billing.final("70.00", issued_on=last.isoformat(), due_date=last.isoformat())
    [order] = api.get("/api/orders").json["data"]
    found = api.get("/api/dashboard").json
    assert amounts(found, "signed", order["currency"]) == (order["total"], "0.00")
    assert amounts(found, "billed", "EUR") == ("50.00", "70.00")
    assert counted(api, found["billed"]["query"]) == 1
    assert counted(api, found["billed"]["last_query"]) == 1
    assert counted(api, found["signed"]["query"]) == 1
    assert counted(api, found["signed"]["last_query"]) == 0


def test_a_firm_that_has_nothing_yet_sees_zeros(api: Api) -> None:
    found = api.get("/api/dashboard").json
    assert found["engagements"] == found["signed"]["amounts"] == []
    assert found["overdue_invoices"]["count"] == found["overdue_tasks"]["count"] == 0


def test_nobody_sees_another_organizations_numbers(
    api: Api, tenant: Tenant, other_tenant: Tenant
) -> None:
    busy(api, tenant)
    stranger = Api(app=api.app, api_key=other_tenant.api_key)
    assert stranger.get("/api/dashboard").json["engagements"] == []
