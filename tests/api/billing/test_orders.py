"""Orders by hand: written down, changed while nothing is invoiced, cancelled; paid by invoices."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support.billing import Billing
from tests.support.tenants import Api, Tenant

ITEMS = [{"name": "Design", "price": "80.00"}, {"name": "Page", "price": "10.00", "quantity": 2}]


def ordered(billing: Billing, **more: Any) -> dict[str, Any]:
    body = {"engagement_id": billing.engagement["id"], "items": ITEMS, **more}
    made: dict[str, Any] = billing.api.made("/api/orders", body)
    return made


def status(billing: Billing, order: dict[str, Any]) -> Any:
    return billing.api.get(f"/api/orders/{order['id']}").json["status"]


def test_an_order_is_of_the_engagement_s_client_and_costs_what_its_items_do(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    project = api.made("/api/projects", {"name": "Site", "engagement_id": billing.engagement["id"]})
    service = api.made("/api/services", {**ITEMS[0], "currency": "EUR"})
    item = {**ITEMS[0], "project_id": project["id"], "service_id": service["id"]}
    made = ordered(billing, items=[item, ITEMS[1]])
    assert (made["number"], made["status"], made["proposal_id"]) == ("O-00001", "Unpaid", None)
    assert (made["total"], made["currency"]) == ("100.00", "EUR")
    assert made["client_company_id"] == billing.company["id"]
    found = api.get(f"/api/orders/{made['id']}").json["items"]
    assert [(row["name"], row["quantity"], row["total"]) for row in found] == [
        ("Design", 1, "80.00"), ("Page", 2, "20.00"),
    ]  # fmt: skip
    assert found[0]["project_id"] == project["id"]
    tenant.run_jobs("activity.record")
    [event] = tenant.rows(
        "SELECT type, metadata FROM activity_events WHERE organization_id = %(organization_id)s"
        " AND entity_id = %(id)s",
        id=made["id"],
    )
    assert (event["type"], event["metadata"]["number"]) == ("created", "O-00001")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"items": []}, "items"),
        ({"items": [{**ITEMS[0], "service_id": str(uuid4())}]}, "items.0.service_id"),
        ({"items": [ITEMS[0], {**ITEMS[0], "project_id": str(uuid4())}]}, "items.1.project_id"),
        ({"items": [{"name": "x", "price": "9999999999.00", "quantity": 2}]}, "items"),
        ({"engagement_id": str(uuid4())}, "engagement_id"),
        ({"contact_id": str(uuid4())}, "contact_id"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_spends_no_number(
    api: Api, billing: Billing, change: dict[str, Any], field: str
) -> None:
    body = {"engagement_id": billing.engagement["id"], "items": ITEMS, **change}
    answer = api.post("/api/orders", body)
    assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert ordered(billing)["number"] == "O-00001"


def test_a_discount_is_taken_off_what_the_items_come_to(api: Api, billing: Billing) -> None:
    taxed = {"tax_category": "reduced", "tax_rate": "7.00"}
    order = ordered(billing, items=[{**ITEMS[0], **taxed}, ITEMS[1]], discount="10.00")
    assert order["total"] == "90.00"
    path = f"/api/orders/{order['id']}"
    assert api.put(path, {"discount": "25.00"}).json["total"] == "75.00"
    assert api.put(path, {"items": ITEMS[1:], "discount": "0.00"}).json["total"] == "20.00"
    answer = api.put(path, {"discount": "20.01"})
    assert (answer.status, list(answer.json["errors"])) == (422, ["discount"])


def test_a_project_of_another_engagement_is_refused(api: Api, billing: Billing) -> None:
    other = api.made("/api/engagements", {"name": "Other"})
    project = api.made("/api/projects", {"name": "Site", "engagement_id": other["id"]})
    items = [{**ITEMS[0], "project_id": project["id"]}]
    body = {"engagement_id": billing.engagement["id"], "items": items}
    answer = api.post("/api/orders", body)
    assert (answer.status, list(answer.json["errors"])) == (422, ["items.0.project_id"])


def test_an_order_is_changed_until_something_is_invoiced(api: Api, billing: Billing) -> None:
    order = ordered(billing)
    path = f"/api/orders/{order['id']}"
    changed = api.put(path, {"items": [{"name": "Less", "price": "60.00"}]}).json
    assert changed["total"] == "60.00"
    assert [item["name"] for item in api.get(path).json["items"]] == ["Less"]
    draft = billing.draft(order_id=order["id"])
    answer = api.put(path, {"items": ITEMS})
    assert (answer.status, "draft" in answer.json["detail"]) == (409, True)
    api.delete(f"/api/invoices/{draft['id']}")
    final = billing.final(order_id=order["id"])
    assert api.put(path, {"currency": "USD"}).status == 409
    billing.act(final, "void")
    assert api.put(path, {"items": ITEMS}).json["total"] == "100.00"


def test_a_signed_order_stays_as_it_was_signed(api: Api, tenant: Tenant) -> None:
    api.sign(api.send_proposal())
    tenant.run_jobs()
    [order] = api.get("/api/orders").json["data"]
    answer = api.put(f"/api/orders/{order['id']}", {"items": ITEMS})
    assert (answer.status, "signed" in answer.json["detail"]) == (409, True)


def test_the_state_follows_the_invoices(billing: Billing) -> None:
    order = ordered(billing)
    first = billing.final("60.00", order_id=order["id"])
    billing.pay(first, "71.40")
    assert status(billing, order) == "Partially paid", "40.00 are not invoiced yet"
    rest = billing.final("40.00", order_id=order["id"])
    billing.pay(rest, "47.60")
    assert status(billing, order) == "Paid"


def test_a_cancelled_order_is_billed_no_more(api: Api, billing: Billing) -> None:
    order = ordered(billing)
    cancelled = api.made(f"/api/orders/{order['id']}/cancel", {"reason": "The client withdrew."})
    assert cancelled["status"] == "Cancelled"
    body = {"engagement_id": billing.engagement["id"], "order_id": order["id"]}
    answer = api.post("/api/invoices", body)
    assert (answer.status, list(answer.json["errors"])) == (422, ["order_id"])
    plan = {**body, "name": "Rest", "kind": "once", "amount": "1.00", "starts_on": "2099-01-01"}
    answer = api.post("/api/invoice-schedules", plan)
    assert (answer.status, list(answer.json["errors"])) == (422, ["order_id"])
    assert api.put(f"/api/orders/{order['id']}", {"items": ITEMS}).status == 409
    assert api.post(f"/api/orders/{order['id']}/cancel").status == 409


def test_what_may_still_be_paid_keeps_an_order_from_being_cancelled(
    api: Api, billing: Billing
) -> None:
    order = ordered(billing)
    path = f"/api/orders/{order['id']}/cancel"
    final = billing.final("10.00", order_id=order["id"])
    answer = api.post(path)
    assert (answer.status, final["number"] in answer.json["detail"]) == (409, True)
    billing.pay(final, "11.90")
    plan = {
        "engagement_id": billing.engagement["id"],
        "order_id": order["id"],
        "name": "Rest",
        "kind": "once",
        "amount": "90.00",
        "starts_on": "2099-01-01",
    }
    schedule = api.made("/api/invoice-schedules", plan)
    answer = api.post(path)
    assert (answer.status, "schedule" in answer.json["detail"]) == (409, True)
    api.delete(f"/api/invoice-schedules/{schedule['id']}")
    assert api.made(path)["status"] == "Cancelled"


def test_a_paid_order_is_not_cancelled(api: Api, billing: Billing) -> None:
    order = ordered(billing)
    billing.pay(billing.final("100.00", order_id=order["id"]), "119.00")
    answer = api.post(f"/api/orders/{order['id']}/cancel")
    assert (answer.status, "Paid" in answer.json["detail"]) == (409, True)


def test_a_closed_engagement_takes_no_new_order(api: Api, billing: Billing) -> None:
    api.put(f"/api/engagements/{billing.engagement['id']}", {"status": "Closed"})
    body = {"engagement_id": billing.engagement["id"], "items": ITEMS}
    answer = api.post("/api/orders", body)
    assert (answer.status, "Closed" in answer.json["detail"]) == (409, True)


def test_who_has_not_seen_an_order_as_it_is_does_not_change_it(api: Api, billing: Billing) -> None:
    order = ordered(billing)
    path = f"/api/orders/{order['id']}"
    old = api.get(path).headers["ETag"]
    api.put(path, {"items": ITEMS[:1]})
    assert api.put(path, {"items": ITEMS}, If_Match=old).status == 412
    assert api.post(f"{path}/cancel", {}, If_Match=old).status == 412


def test_only_who_may_bill_writes_orders_down(tenant: Tenant, billing: Billing) -> None:
    member = Api(app=billing.api.app, api_key=tenant.key("member"))
    body = {"engagement_id": billing.engagement["id"], "items": ITEMS}
    assert member.post("/api/orders", body).status == 403
