"""Invoices: drafted freely, then final; what a firm would trust with its money."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support.billing import TAXED, Billing
from tests.support.tenants import Api, Tenant


def test_a_draft_has_its_client_and_currency_from_the_engagement_and_no_number(
    billing: Billing,
) -> None:
    made = billing.draft("80.00", "20.00")
    assert (made["status"], made["status_id"], made["number"]) == ("Draft", 0, None)
    assert made["client_company"] == {"id": billing.company["id"], "name": "Juniper Ltd"}
    assert (made["currency"], made["subtotal"], made["tax"], made["total"]) == (
        "EUR", "100.00", "19.00", "119.00",
    )  # fmt: skip
    assert made["open"] == "0.00", "nobody owes a draft"
    found = billing.read(made)
    assert [line["total"] for line in found["lines"]] == ["80.00", "20.00"]


def test_a_line_takes_the_default_tax_where_it_names_none(api: Api, billing: Billing) -> None:
    api.put("/api/organization", {"default_tax": {"category": "reduced", "rate": "7.00"}})
    lines = [{"name": "Book", "price": "10.00", "quantity": "1.5", "discount": "5.00"}]
    made = billing.draft(lines=lines)
    assert (made["subtotal"], made["tax"], made["total"]) == ("10.00", "0.70", "10.70")
    [line] = billing.read(made)["lines"]
    assert (line["quantity"], line["tax_category"], line["tax_rate"]) == (
        "1.500", "reduced", "7.00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"name": "x", "price": "1.00", "quantity": "0"}, "lines.0.quantity"),
        ({"name": "x", "price": "1.00", "quantity": 1}, "lines.0.quantity"),
        ({"name": "x", "price": "1.00", "discount": "2.00"}, "lines.0.discount"),
        ({"name": "x", "price": "1.00", "tax_rate": "19.00"}, "lines.0.tax_category"),
        (
            {"name": "x", "price": "1.00", "tax_category": "zero", "tax_rate": "1"},
            "lines.0.tax_rate",
        ),
        ({"name": "x", "price": "1.00", "unit": "barrel"}, "lines.0.unit"),
        ({"name": " ", "price": "1.00"}, "lines.0.name"),
    ],
)
def test_a_wrong_line_is_refused_by_name(
    api: Api, billing: Billing, line: dict[str, Any], field: str
) -> None:
    body = {"engagement_id": billing.engagement["id"], "lines": [line]}
    answer = api.post("/api/invoices", body)
    assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_finalizing_numbers_dates_and_names_both_parties(billing: Billing, tenant: Tenant) -> None:
    final = billing.final()
    today = dt.datetime.now(dt.UTC).date()
    assert final["number"] == f"{today.year}-00001"
    assert final["issued_on"] == today.isoformat()
    assert final["due_date"] == (today + dt.timedelta(days=14)).isoformat()
    assert (final["status"], final["open"], final["is_overdue"]) == ("Open", "119.00", False)
    assert final["tax_groups"] == [
        {"category": "standard", "rate": "19.00", "net": "100.00", "tax": "19.00"}
    ]
    [row] = tenant.rows(
        "SELECT seller, buyer FROM invoices WHERE organization_id = %(organization_id)s"
    )
    assert row["seller"]["tax_id"] == "DE136695976"
    assert row["buyer"]["name"] == "Juniper Ltd"


def test_what_the_law_needs_and_is_not_known_is_named_and_no_number_is_spent(
    api: Api, tenant: Tenant
) -> None:
    company = api.made("/api/companies", {"name": "No address"})
    engagement = api.made("/api/engagements", {"name": "x", "client_company_id": company["id"]})
    draft = api.made("/api/invoices", {"engagement_id": engagement["id"]})
    answer = api.post(f"/api/invoices/{draft['id']}/finalize")
    assert answer.status == 422
    assert set(answer.json["errors"]) == {
        "organization.address", "organization.tax_id", "client_company.address", "lines",
    }  # fmt: skip
    assert tenant.count("number_series", "series LIKE 'invoice%%'") == 0


def test_a_final_invoice_is_not_edited_deleted_or_finalized_again(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    path = f"/api/invoices/{final['id']}"
    assert api.put(path, {"notes": "x"}).status == 409
    assert api.delete(path).status == 409
    assert api.post(f"{path}/finalize").status == 409
    assert billing.read(final)["notes"] is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoices SET total = total + 1, subtotal = subtotal + 1",
        "UPDATE invoices SET due_date = due_date + 1",
        "UPDATE invoices SET number = 'x'",
        "UPDATE invoice_lines SET price = 1",
    ],
)
def test_the_database_itself_keeps_what_a_final_invoice_says(
    billing: Billing, tenant: Tenant, statement: str
) -> None:
    billing.final()
    with pytest.raises(psycopg.errors.RestrictViolation):
        tenant.rows(f"{statement} WHERE organization_id = %(organization_id)s RETURNING id")


def test_numbers_have_no_gap_when_twenty_are_finalized_at_once(api: Api, billing: Billing) -> None:
    drafts = [billing.draft() for _ in range(20)]
    lacking = api.made("/api/invoices", {"engagement_id": billing.engagement["id"]})

    def finalize(invoice: dict[str, Any]) -> int:
        return api.post(f"/api/invoices/{invoice['id']}/finalize").status

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(finalize, [*drafts, lacking]))
    assert answers == [200] * 20 + [422]
    numbers = sorted(billing.read(draft)["number"] for draft in drafts)
    year = dt.datetime.now(dt.UTC).year
    assert numbers == [f"{year}-{n:05}" for n in range(1, 21)]


def test_the_numbers_follow_the_organization_s_pattern(api: Api, billing: Billing) -> None:
    api.put("/api/organization", {"invoice_number_pattern": "RE {n}/{year}"})
    year = dt.datetime.now(dt.UTC).year
    assert billing.final()["number"] == f"RE 1/{year}"
    assert billing.final()["number"] == f"RE 2/{year}"


def test_an_unpaid_invoice_can_be_voided_and_a_paid_one_cannot(api: Api, billing: Billing) -> None:
    unpaid, paid = billing.final(), billing.final()
    billing.pay(paid, "1.00")
    assert billing.act(unpaid, "void")["status"] == "Void"
    answer = api.post(f"/api/invoices/{paid['id']}/void")
    assert (answer.status, "credit the rest" in answer.json["detail"]) == (409, True)
    assert billing.read(paid)["status"] == "Open"


def test_writing_off_needs_a_reason_and_a_late_payment_still_counts(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    assert api.post(f"/api/invoices/{final['id']}/write-off", {}).status == 422
    gone = billing.act(final, "write-off", {"reason": "Insolvent"})
    assert (gone["status"], gone["write_off_reason"]) == ("Uncollectible", "Insolvent")
    billing.pay(final, "119.00")
    assert billing.read(final)["status"] == "Paid"


def test_a_closed_engagement_takes_no_new_invoice_and_still_payments_and_credits(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    api.put(f"/api/engagements/{billing.engagement['id']}", {"status": "Closed"})
    answer = api.post("/api/invoices", {"engagement_id": billing.engagement["id"]})
    assert (answer.status, "Closed" in answer.json["detail"]) == (409, True)
    billing.pay(final, "50.00")
    billing.act(final, "credit", {"reason": "Goodwill"})
    assert billing.read(final)["status"] == "Paid"


def test_an_invoice_of_nothing_is_paid_at_once(billing: Billing) -> None:
    lines = [{"name": "Gift", "price": "10.00", "discount": "10.00", **TAXED}]
    final = billing.act(billing.draft(lines=lines), "finalize")
    assert (final["status"], final["total"]) == ("Paid", "0.00")


def test_the_list_is_filtered_by_what_is_overdue_and_sorted_by_when_it_is_due(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    old = "2026-01-31"
    late = billing.final(issued_on="2026-01-01", due_date=old)
    fresh, draft = billing.final(), billing.draft()
    found = api.get("/api/invoices?overdue=true").json["data"]
    assert [(row["id"], row["is_overdue"]) for row in found] == [(late["id"], True)]
    ordered = api.get("/api/invoices?sort=due_date").json["data"]
    assert [row["id"] for row in ordered] == [late["id"], fresh["id"], draft["id"]]
    until = api.get("/api/invoices?due_until=2026-12-31&due_from=2026-01-02").json["data"]
    assert late["id"] in [row["id"] for row in until]
    opened = api.get("/api/invoices?status=Open").json["data"]
    assert {row["id"] for row in opened} == {late["id"], fresh["id"]}


def test_a_draft_is_deleted_for_good(api: Api, billing: Billing, draft: dict[str, Any]) -> None:
    assert api.delete(f"/api/invoices/{draft['id']}").status == 204
    assert api.get(f"/api/invoices/{draft['id']}").status == 404


def test_only_who_may_bill_bills(tenant: Tenant, billing: Billing) -> None:
    member = Api(app=billing.api.app, api_key=tenant.key("member"))
    assert member.get("/api/invoices").status == 200
    body = {"engagement_id": billing.engagement["id"]}
    assert member.post("/api/invoices", body).status == 403


def test_an_order_of_another_engagement_is_refused(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    api.sign(api.send_proposal())
    tenant.run_jobs()
    [order] = api.get("/api/orders").json["data"]
    body = {"engagement_id": billing.engagement["id"], "order_id": order["id"]}
    answer = api.post("/api/invoices", body)
    assert (answer.status, list(answer.json["errors"])) == (422, ["order_id"])
