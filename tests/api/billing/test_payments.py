"""Payments, credit kept for later, refunds and credit notes: nothing is counted twice or lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.billing import TAXED, Billing
from tests.support.tenants import Api, Tenant

PAYMENTS = "/api/payments"


def test_a_part_payment_leaves_the_rest_open(api: Api, billing: Billing) -> None:
    final = billing.final()
    paid = billing.pay(final, "19.00", reference="T-1")
    assert (paid["allocated"], paid["credit"]) == ("19.00", "0.00")
    found = billing.read(final)
    assert (found["status"], found["paid"], found["open"], found["is_partially_paid"]) == (
        "Open", "19.00", "100.00", True,
    )  # fmt: skip
    assert found["payments"] == [
        {
            "payment_id": paid["id"],
            "amount": "19.00",
            "reference": "T-1",
            "allocated_at": found["payments"][0]["allocated_at"],
        }
    ]
    billing.pay(final, "100.00")
    found = billing.read(final)
    assert (found["status"], found["open"], found["is_partially_paid"]) == ("Paid", "0.00", False)
    assert found["paid_at"]


def test_too_much_is_refused_with_the_remainder_and_changes_nothing(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    answer = api.post(f"/api/invoices/{final['id']}/payments", {"amount": "119.01"})
    assert (answer.status, answer.json["errors"]) == (
        422, {"amount": ["Only 119.00 EUR are open."]},
    )  # fmt: skip
    assert tenant.count("payments") == 0
    assert billing.read(final)["open"] == "119.00"


def test_too_much_is_kept_as_credit_when_asked_and_settles_a_later_invoice(
    api: Api, billing: Billing
) -> None:
    first, second = billing.final(), billing.final()
    paid = billing.pay(first, "150.00", keep_excess=True)
    assert (paid["allocated"], paid["credit"]) == ("119.00", "31.00")
    path = f"{PAYMENTS}/{paid['id']}/allocate"
    used = api.made(path, {"invoice_id": second["id"]})
    assert used["credit"] == "0.00"
    assert billing.read(second)["open"] == "88.00"
    again = api.post(path, {"invoice_id": second["id"]})
    assert (again.status, list(again.json["errors"])) == (422, ["amount"])


def test_one_transfer_settles_several_invoices(api: Api, billing: Billing) -> None:
    first, second = billing.final(), billing.final()
    body = {
        "amount": "169.00",
        "currency": "EUR",
        "reference": "SEPA-77",
        "allocations": [
            {"invoice_id": first["id"], "amount": "119.00"},
            {"invoice_id": second["id"], "amount": "50.00"},
        ],
    }
    made = api.made(PAYMENTS, body)
    assert {a["number"]: a["amount"] for a in made["allocations"]} == {
        first["number"]: "119.00",
        second["number"]: "50.00",
    }
    assert made["client_company_id"] == billing.company["id"]
    assert (billing.read(first)["status"], billing.read(second)["open"]) == ("Paid", "69.00")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "100.00"}, "amount"),
        ({"amount": "200.00"}, "amount"),
        ({"currency": "USD"}, "allocations.0.invoice_id"),
        ({"allocations": [{"invoice_id": "0" * 32, "amount": "1.00"}]}, "allocations.0.invoice_id"),
        ({"received_at": "2999-01-01T00:00:00Z"}, "received_at"),
    ],
)
def test_a_transfer_that_does_not_fit_is_refused_by_name(
    api: Api, billing: Billing, tenant: Tenant, change: dict[str, Any], field: str
) -> None:
    final = billing.final()
    body = {
        "amount": "119.00",
        "currency": "EUR",
        "allocations": [{"invoice_id": final["id"], "amount": "119.00"}],
    }
    answer = api.post(PAYMENTS, {**body, **change})
    assert (answer.status, list(answer.json["errors"])) == (422, [field]), answer.text
    assert tenant.count("payments") == 0


def test_the_same_reference_is_recorded_once(api: Api, billing: Billing) -> None:
    first, second = billing.final(), billing.final()
    billing.pay(first, "10.00", reference="T-1")
    answer = api.post(
        f"/api/invoices/{second['id']}/payments", {"amount": "10.00", "reference": "T-1"}
    )
    assert (answer.status, list(answer.json["errors"])) == (409, ["reference"])
    assert billing.read(second)["open"] == "119.00"


def test_a_refund_takes_credit_first_and_then_opens_the_latest_invoice_again(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    paid = billing.pay(final, "129.00", keep_excess=True)
    path = f"{PAYMENTS}/{paid['id']}/refund"
    first = api.made(path, {"amount": "10.00", "reason": "Paid too much"})
    assert (first["credit"], first["refunded"]) == ("0.00", "10.00")
    assert billing.read(final)["status"] == "Paid"
    second = api.made(path, {"amount": "19.00", "reason": "Agreed"})
    assert (second["allocated"], second["refunded"]) == ("100.00", "29.00")
    assert [refund["amount"] for refund in second["refunds"]] == ["10.00", "19.00"]
    found = billing.read(final)
    assert (found["status"], found["open"], found["paid_at"]) == ("Open", "19.00", None)
    too_much = api.post(path, {"amount": "100.01", "reason": "x"})
    assert (too_much.status, list(too_much.json["errors"])) == (422, ["amount"])


def test_a_draft_and_a_void_invoice_take_no_payment(api: Api, billing: Billing) -> None:
    draft, void = billing.draft(), billing.final()
    billing.act(void, "void")
    for invoice in (draft, void):
        answer = api.post(f"/api/invoices/{invoice['id']}/payments", {"amount": "1.00"})
        assert answer.status == 409


def test_of_many_payments_at_once_none_goes_above_the_total(api: Api, billing: Billing) -> None:
    final = billing.final()

    def pay(_: int) -> int:
        return api.post(f"/api/invoices/{final['id']}/payments", {"amount": "50.00"}).status

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(pay, range(6)))
    assert answers == [201, 201, 422, 422, 422, 422]
    assert billing.read(final)["open"] == "19.00"


def test_of_many_transfers_at_once_none_goes_above_the_total(api: Api, billing: Billing) -> None:
    final = billing.final()
    allocation = {"invoice_id": final["id"], "amount": "50.00"}
    body = {"amount": "50.00", "currency": "EUR", "allocations": [allocation]}

    def pay(_: int) -> int:
        return api.post(PAYMENTS, body).status

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(pay, range(6)))
    assert answers == [201, 201, 422, 422, 422, 422]
    assert billing.read(final)["open"] == "19.00"


def test_the_whole_invoice_is_credited_with_its_lines(api: Api, billing: Billing) -> None:
    final = billing.final("80.00", "20.00")
    note = billing.act(final, "credit", {"reason": "Cancelled"})
    assert (note["amount"], note["subtotal"], note["tax"]) == ("119.00", "100.00", "19.00")
    assert note["number"].startswith("CN-")
    assert [line["total"] for line in note["lines"]] == ["80.00", "20.00"]
    found = billing.read(final)
    assert (found["status"], found["credited"]) == ("Paid", "119.00")
    assert [each["number"] for each in found["credit_notes"]] == [note["number"]]
    again = api.post(f"/api/invoices/{final['id']}/credit", {"reason": "x"})
    assert again.status == 422


def test_an_amount_is_credited_to_the_cent_over_the_taxes_of_the_invoice(
    api: Api, billing: Billing
) -> None:
    lines = [
        {"name": "Work", "price": "100.00", **TAXED},
        {"name": "Book", "price": "100.00", "tax_category": "reduced", "tax_rate": "7.00"},
    ]
    final = billing.act(billing.draft(lines=lines), "finalize")
    note = billing.act(final, "credit", {"amount": "10.01", "reason": "Late"})
    assert note["amount"] == "10.01"
    assert {line["tax_rate"] for line in note["lines"]} == {"19.00", "7.00"}
    rest = billing.act(final, "credit", {"reason": "All of it"})
    assert rest["amount"] == "215.99"
    assert billing.read(final)["open"] == "0.00"


def test_what_was_paid_above_a_credited_invoice_is_the_client_s_credit(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    paid = billing.pay(final, "119.00")
    lines = [{"name": "Half", "price": "50.00", **TAXED}]
    billing.act(final, "credit", {"lines": lines, "reason": "Half was not done"})
    found = billing.read(final)
    assert (found["status"], found["paid"], found["credited"]) == ("Paid", "59.50", "59.50")
    assert api.get(f"{PAYMENTS}/{paid['id']}").json["credit"] == "59.50"


def test_an_order_follows_its_invoices(api: Api, billing: Billing, tenant: Tenant) -> None:
    signed = api.sign(api.send_proposal()).json
    tenant.run_jobs()
    [order] = api.get("/api/orders").json["data"]
    [draft] = api.get(f"/api/invoices?order_id={order['id']}").json["data"]
    assert signed
    proposal_company = draft["client_company_id"]
    address = {"line1": "x", "postal_code": "1", "city": "Berlin", "country": "DE"}
    api.put(f"/api/companies/{proposal_company}", {"address": address})
    billing.act(draft, "finalize")

    def status() -> str:
        found: str = api.get(f"/api/orders/{order['id']}").json["status"]
        return found

    assert status() == "Unpaid"
    billing.pay(draft, "1.00")
    assert status() == "Partially paid"
    paid = billing.pay(draft, billing.read(draft)["open"])
    assert status() == "Paid"
    api.made(f"{PAYMENTS}/{paid['id']}/refund", {"amount": "1.00", "reason": "x"})
    assert status() == "Partially paid"


def test_nobody_pays_another_organizations_invoice(
    api: Api, billing: Billing, other_tenant: Tenant
) -> None:
    final = billing.final()
    stranger = Api(app=api.app, api_key=other_tenant.api_key)
    assert stranger.post(f"/api/invoices/{final['id']}/payments", {"amount": "1.00"}).status == 404
    body = {"amount": "1.00", "currency": "EUR",
            "allocations": [{"invoice_id": final["id"], "amount": "1.00"}]}  # fmt: skip
    answer = stranger.post(PAYMENTS, body)
    assert list(answer.json["errors"]) == ["allocations.0.invoice_id"]


def test_where_online_payment_is_not_set_up_the_bank_account_is_named(
    api: Api, billing: Billing
) -> None:
    final = billing.final()
    answer = api.post(f"/api/invoices/{final['id']}/payment-link")
    assert (answer.status, answer.json["detail"]) == (
        409,
        "Online payment is not set up. The client can transfer 119.00 EUR to"
        f" DE89 3704 0044 0532 0130 00 (Juniper), naming {final['number']}.",
    )
    unsigned = Api(app=api.app).post("/api/webhooks/stripe", {}, Stripe_Signature="t=1,v1=x")
    assert unsigned.status == 400
