"""Closing an engagement names the invoices that are drafts, and loses none."""

from __future__ import annotations

from tests.support.billing import ready_to_bill
from tests.support.tenants import Api, Tenant


def test_closing_by_put_names_the_draft_invoices(api: Api, tenant: Tenant) -> None:
    billing = ready_to_bill(api, tenant)
    path = f"/api/engagements/{billing.engagement['id']}"
    draft = billing.draft()
    billing.final()
    closed = api.put(path, {"status": "Closed"}).json
    assert closed["draft_invoices"] == api.get(path).json["draft_invoices"]
    assert closed["draft_invoices"] == [
        {"id": draft["id"], "currency": "EUR", "total": "119.00", "period": None}
    ]


def test_closing_by_delete_links_the_draft_invoices(api: Api, tenant: Tenant) -> None:
    billing = ready_to_bill(api, tenant)
    path = f"/api/engagements/{billing.engagement['id']}"
    first, second = billing.draft(), billing.draft()
    for _ in range(2):  # a second time it is closed already, and they are drafts still
        answer = api.delete(path)
        assert answer.status == 204
        links = [link.split(";")[0] for link in answer.headers["Link"].split(", ")]
        assert links == [f"</api/invoices/{each['id']}>" for each in (first, second)]
    assert api.get(path).json["status"] == "Closed"


def test_an_engagement_without_drafts_is_closed_without_links(api: Api) -> None:
    made = api.made("/api/engagements", {"name": "x"})
    assert made["draft_invoices"] == []
    assert "Link" not in api.delete(f"/api/engagements/{made['id']}").headers


def test_a_draft_of_a_closed_engagement_can_still_be_sent_or_thrown_away(
    api: Api, tenant: Tenant
) -> None:
    billing = ready_to_bill(api, tenant)
    kept, gone = billing.draft(), billing.draft()
    api.delete(f"/api/engagements/{billing.engagement['id']}")
    assert api.put(f"/api/invoices/{kept['id']}", {"notes": "The last one"}).status == 200
    assert billing.act(kept, "finalize")["status"] == "Open"
    assert billing.act(kept, "send")["sent_at"] is not None
    assert api.delete(f"/api/invoices/{gone['id']}").status == 204
    assert billing.read(kept)["notes"] == "The last one"
