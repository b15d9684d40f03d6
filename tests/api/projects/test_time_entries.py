"""Time: recorded by hand or by a clock, and billed once."""

from __future__ import annotations

import csv
import datetime as dt
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.billing import Billing, ready_to_bill
from tests.support.tenants import Api, Tenant
from webapp.services.identity.accounts import create_user

PATH = "/api/time-entries"


@pytest.fixture
def billing(api: Api, tenant: Tenant) -> Billing:
    return ready_to_bill(api, tenant)


@pytest.fixture
def project(api: Api, billing: Billing) -> dict[str, Any]:
    body = {"name": "Build", "engagement_id": billing.engagement["id"]}
    made: dict[str, Any] = api.made("/api/projects", body)
    return made


@pytest.fixture
def kim(tenant: Tenant) -> str:
    address = f"kim@{tenant.slug}.example"
    return str(
        tenant.run(lambda: create_user(address, "Kim", "a long enough password", role="member").id)
    )


def entry(api: Api, project: dict[str, Any], kim: str, **more: Any) -> dict[str, Any]:
    body = {"project_id": project["id"], "user_id": kim, "minutes": 90, **more}
    made: dict[str, Any] = api.made(PATH, body)
    return made


def test_time_is_recorded_for_a_member_on_a_day(
    api: Api, project: dict[str, Any], kim: str
) -> None:
    made = entry(api, project, kim, note="Forms", rate="80.00", day="2026-03-01")
    assert (made["minutes"], made["rate"], made["day"]) == (90, "80.00", "2026-03-01")
    assert made["user"] == {"id": kim, "name": "Kim"}
    assert (made["is_billable"], made["is_billed"], made["is_running"]) == (True, False, False)
    today = entry(api, project, kim)
    assert today["day"] == dt.datetime.now(dt.UTC).date().isoformat()
    march = api.get(f"{PATH}?day_until=2026-03-31&project_id={project['id']}").json["data"]
    assert [row["id"] for row in march] == [made["id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"minutes": None}, "minutes"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 1441}, "minutes"),
        ({"user_id": "00000000-0000-7000-8000-000000000001"}, "user_id"),
        ({"project_id": "00000000-0000-7000-8000-000000000001"}, "project_id"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_by_name(
    api: Api, project: dict[str, Any], kim: str, change: dict[str, Any], field: str
) -> None:
    body = {"project_id": project["id"], "user_id": kim, "minutes": 90, **change}
    answer = api.post(PATH, body)
    assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_a_member_has_one_clock_at_a_time(api: Api, project: dict[str, Any], kim: str) -> None:
    body = {"project_id": project["id"], "user_id": kim, "running": True}
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: api.post(PATH, body), range(3)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    [running] = [answer.json for answer in answers if answer.status == 201]
    assert running["is_running"]
    stopped = api.made(f"{PATH}/{running['id']}/stop")
    assert (stopped["minutes"], stopped["is_running"]) == (1, False), "a begun minute counts"
    assert api.post(f"{PATH}/{running['id']}/stop").status == 409
    assert api.post(PATH, body).status == 201


def test_time_of_a_task_belongs_to_its_project(api: Api, project: dict[str, Any], kim: str) -> None:
    task = api.made(f"/api/projects/{project['id']}/tasks", {"name": "x"})
    made = api.made(PATH, {"task_id": task["id"], "user_id": kim, "minutes": 5})
    assert made["project_id"] == project["id"]
    other = api.made("/api/projects", {"name": "y", "engagement_id": project["engagement_id"]})
    body = {"task_id": task["id"], "project_id": other["id"], "user_id": kim, "minutes": 5}
    assert list(api.post(PATH, body).json["errors"]) == ["task_id"]


def test_unbilled_time_goes_onto_a_draft_once(
    api: Api, billing: Billing, project: dict[str, Any], kim: str
) -> None:
    first = entry(api, project, kim, rate="80.00", day="2026-03-02")
    entry(api, project, kim, rate="80.00", minutes=45, day="2026-03-31")
    entry(api, project, kim, minutes=30, day="2026-03-04")
    entry(api, project, kim, minutes=60, is_billable=False)
    draft = billing.draft(service_from="2026-03-01")
    path = f"/api/invoices/{draft['id']}/add-time"
    answer = api.post(path)
    assert (answer.status, list(answer.json["errors"])) == (422, ["rate"])
    billed = api.made(path, {"rate": "100.00"})
    found = billing.read(billed)
    assert [(line["quantity"], line["unit"], line["total"]) for line in found["lines"]] == [
        ("1.000", "piece", "100.00"), ("2.250", "hour", "180.00"), ("0.500", "hour", "50.00"),
    ]  # fmt: skip
    assert found["subtotal"] == "330.00"
    assert (found["service_from"], found["service_until"]) == ("2026-03-01", "2026-03-31")
    assert api.post(path, {"rate": "100.00"}).status == 409, "nothing is left"
    own = f"{PATH}/{first['id']}"
    assert api.put(own, {"minutes": 1}).status == api.delete(own).status == 409
    api.put(f"/api/invoices/{draft['id']}", {"lines": []})
    assert api.get(own).json["is_billed"] is False, "the draft gave it back"
    assert api.put(own, {"minutes": 1}).status == 200


def test_two_drafts_do_not_bill_the_same_time(
    api: Api, billing: Billing, project: dict[str, Any], kim: str
) -> None:
    entry(api, project, kim, rate="80.00")
    drafts = [billing.draft(), billing.draft()]
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(
            lambda draft: api.post(f"/api/invoices/{draft['id']}/add-time").status, drafts
        )
    assert sorted(answers) == [200, 409]


def test_the_unbilled_report_tells_what_waits_to_be_billed(
    api: Api, billing: Billing, project: dict[str, Any], kim: str
) -> None:
    entry(api, project, kim, rate="80.00")
    entry(api, project, kim, minutes=30)
    [row] = api.get("/api/reports/unbilled").json["data"]
    assert row == {
        "engagement_id": billing.engagement["id"],
        "name": billing.engagement["name"],
        "currency": "EUR",
        "minutes": 120,
        "amount": "120.00",
        "minutes_without_rate": 30,
    }
    [line] = csv.DictReader(io.StringIO(api.get("/api/reports/unbilled.csv").text))
    assert line["minutes"] == "120"


def test_the_revenue_report_tells_what_was_billed_and_credited(api: Api, billing: Billing) -> None:
    first = billing.final("100.00", issued_on="2026-01-10", due_date="2026-01-20")
    billing.final("50.00", issued_on="2026-02-10", due_date="2026-02-20")
    billing.act(first, "credit", {"amount": "59.50", "reason": "x"})
    void = billing.final("70.00", issued_on="2026-02-11", due_date="2026-02-20")
    billing.act(void, "void")
    span = "issued_from=2026-01-01&issued_until=2026-12-31"
    by_month = api.get(f"/api/reports/revenue?{span}").json["data"]
    assert [(row["name"], row["billed"], row["credited"], row["revenue"]) for row in by_month] == [
        ("2026-01", "100.00", "50.00", "50.00"), ("2026-02", "50.00", "0.00", "50.00"),
    ]  # fmt: skip
    [client] = api.get(f"/api/reports/revenue?{span}&by=client").json["data"]
    assert (client["name"], client["revenue"]) == ("Juniper Ltd", "100.00")
    rows = list(csv.DictReader(io.StringIO(api.get(f"/api/reports/revenue.csv?{span}").text)))
    assert [row["name"] for row in rows] == ["2026-01", "2026-02"]
