"""Schedules: previewed, carried out once for each period, paused, changed and ended."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.billing import Billing
from tests.support.tenants import Api, Tenant
from webapp.services.billing.plans import add_months
from webapp.services.billing.schedules import draft_due_invoices

PATH = "/api/invoice-schedules"


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def months_ago(count: int) -> str:
    day = add_months(today(), -count)
    assert day is not None
    return day.isoformat()


def planned(billing: Billing, kind: str = "monthly", **more: Any) -> dict[str, Any]:
    body = {
        "engagement_id": billing.engagement["id"],
        "name": "Care",
        "kind": kind,
        "amount": "100.00",
        "starts_on": today().isoformat(),
        **more,
    }
    made: dict[str, Any] = billing.api.made(PATH, body)
    return made


def drafts(billing: Billing, schedule: dict[str, Any]) -> list[dict[str, Any]]:
    found = billing.api.get("/api/invoices?sort=created_at&limit=100").json["data"]
    return [invoice for invoice in found if invoice["schedule_id"] == schedule["id"]]


def test_the_preview_tells_the_invoices_to_come(api: Api, billing: Billing) -> None:
    made = planned(billing, starts_on="2027-01-31")
    data = api.get(f"{PATH}/{made['id']}/preview?count=3").json["data"]
    assert [(part["date"], part["amount"]) for part in data] == [
        ("2027-01-31", "100.00"), ("2027-02-28", "100.00"), ("2027-03-31", "100.00"),
    ]  # fmt: skip
    assert len(api.get(f"{PATH}/{made['id']}/preview").json["data"]) == 12


def test_a_deposit_and_milestones_are_split_to_the_cent(api: Api, billing: Billing) -> None:
    deposit = planned(billing, "deposit", amount="99.99", deposit_percent=30, rest_on="2030-01-01")
    data = api.get(f"{PATH}/{deposit['id']}/preview").json["data"]
    assert [part["amount"] for part in data] == ["30.00", "69.99"]
    thirds = [
        {"name": name, "percent": percent, "on": f"2030-0{n}-01"}
        for n, (name, percent) in enumerate((("a", 33), ("b", 33), ("c", 34)), 1)
    ]
    made = planned(billing, "milestones", amount="0.10", milestones=thirds)
    data = api.get(f"{PATH}/{made['id']}/preview").json["data"]
    assert [part["amount"] for part in data] == ["0.03", "0.03", "0.04"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "deposit"}, "deposit_percent"),
        ({"kind": "monthly", "hours": "5.00"}, "hours"),
        ({"kind": "retainer"}, "hours"),
        ({"kind": "once", "ends_on": "2030-01-01"}, "ends_on"),
        ({"kind": "weekly"}, "kind"),
        ({"ends_on": "2020-01-01"}, "ends_on"),
        ({"starts_on": "2020-01-01"}, "starts_on"),
        ({"amount": "0.00"}, "amount"),
        ({"kind": "milestones", "milestones": [{"name": "a", "percent": 50, "on": "2030-01-01"}]},
         "milestones"),
    ],
)  # fmt: skip
def test_a_schedule_that_does_not_add_up_is_refused_by_name(
    api: Api, billing: Billing, change: dict[str, Any], field: str
) -> None:
    body = {
        "engagement_id": billing.engagement["id"],
        "name": "Care",
        "kind": "monthly",
        "amount": "100.00",
        "starts_on": today().isoformat(),
    }
    answer = api.post(PATH, {**body, **change})
    assert answer.status == 422, answer.text
    assert field in answer.json["errors"]


def test_each_period_that_has_begun_is_drafted_once(billing: Billing, tenant: Tenant) -> None:
    made = planned(billing, starts_on=months_ago(2))
    for _ in range(2):
        tenant.run(draft_due_invoices)
    found = drafts(billing, made)
    assert [invoice["period"] for invoice in found] == [
        months_ago(2), months_ago(1), months_ago(0),
    ]  # fmt: skip
    assert {(invoice["status"], invoice["total"]) for invoice in found} == {("Draft", "100.00")}
    [line] = billing.read(found[0])["lines"]
    assert line["name"].startswith("Care, ")
    days = found[0]["service_from"], found[0]["service_until"]
    assert f"{days[0]} to {days[1]}" in line["name"], "the period is what the work was done in"
    following = billing.api.get(f"{PATH}/{made['id']}").json["next_period"]
    assert following == str(add_months(dt.date.fromisoformat(months_ago(2)), 3))


def test_a_whole_ends_with_its_last_part(api: Api, billing: Billing, tenant: Tenant) -> None:
    made = planned(billing, "once")
    tenant.run(draft_due_invoices)
    assert len(drafts(billing, made)) == 1
    assert api.get(f"{PATH}/{made['id']}").json["next_period"] is None
    answer = api.put(f"{PATH}/{made['id']}", {"amount": "5.00"})
    assert answer.status == 409


def test_a_changed_amount_tells_on_the_periods_to_come(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    made = planned(billing)
    tenant.run(draft_due_invoices)
    api.put(f"{PATH}/{made['id']}", {"amount": "120.00"})
    [drafted] = drafts(billing, made)
    assert drafted["subtotal"] == "100.00"
    [following, *_] = api.get(f"{PATH}/{made['id']}/preview").json["data"]
    assert following["amount"] == "120.00"


def test_the_periods_of_a_pause_are_not_billed(api: Api, billing: Billing, tenant: Tenant) -> None:
    made = planned(billing, starts_on=months_ago(3))
    api.made(f"{PATH}/{made['id']}/pause")
    tenant.run(draft_due_invoices)
    assert drafts(billing, made) == []
    resumed = api.made(f"{PATH}/{made['id']}/resume")
    assert resumed["next_period"] >= today().isoformat()
    assert api.post(f"{PATH}/{made['id']}/resume").status == 409


def test_a_paused_engagement_lets_its_periods_pass_and_a_closed_one_ends_them(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    made = planned(billing, starts_on=months_ago(1))
    path = f"/api/engagements/{billing.engagement['id']}"
    api.put(path, {"status": "Paused"})
    tenant.run(draft_due_invoices)
    assert drafts(billing, made) == []
    found = api.get(f"{PATH}/{made['id']}").json
    assert (found["is_active"], found["next_period"] > today().isoformat()) == (True, True)
    tenant.rows(
        "UPDATE invoice_schedules SET next_period = current_date"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    api.put(path, {"status": "Closed"})
    tenant.run(draft_due_invoices)
    found = api.get(f"{PATH}/{made['id']}").json
    assert (found["is_active"], found["ended_at"] is not None) == (False, True)
    assert drafts(billing, made) == []
    body = {"engagement_id": billing.engagement["id"], "name": "x", "kind": "once",
            "amount": "1.00", "starts_on": today().isoformat()}  # fmt: skip
    assert api.post(PATH, body).status == 409


def test_an_ended_schedule_stays_readable_and_changes_no_more(api: Api, billing: Billing) -> None:
    made = planned(billing)
    for _ in range(2):
        assert api.delete(f"{PATH}/{made['id']}").status == 204
    found = api.get(f"{PATH}/{made['id']}").json
    assert (found["is_active"], found["next_period"]) == (False, None)
    assert api.put(f"{PATH}/{made['id']}", {"name": "x"}).status == 409
    assert api.get(f"{PATH}/{made['id']}/preview").json["data"] == []
