"""The audit of the money: each thing that must be true, broken by hand in the database, is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.billing import Billing
from tests.support.tenants import Api, Tenant
from webapp.services.jobs.enqueue import enqueue

AUDIT = "/api/admin/audit"


def faults(api: Api) -> list[dict[str, Any]]:
    answer = api.get(AUDIT)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def by_hand(tenant: Tenant, statement: str) -> None:
    """Change rows as the owner of the tables, past triggers; constraints hold all the same."""
    tenant.execute(
        f"SET session_replication_role = replica; {statement}"
        f" AND organization_id = '{tenant.id}'; SET session_replication_role = DEFAULT"
    )


@pytest.fixture
def books(api: Api, billing: Billing, tenant: Tenant) -> dict[str, Any]:
    """Invoices, payments, a refund, a credit note and a signed order; all of it adds up."""
    paid, credited, void = billing.final("80.00", "20.00"), billing.final(), billing.final()
    payment = billing.pay(paid, "150.00", keep_excess=True)
    api.made(f"/api/payments/{payment['id']}/refund", {"amount": "10.00", "reason": "x"})
    note = billing.act(credited, "credit", {"amount": "19.00", "reason": "x"})
    billing.act(void, "void")
    billing.draft()
    api.sign(api.send_proposal())
    tenant.run_jobs()
    [order] = api.get("/api/orders").json["data"]
    assert faults(api) == []
    return {"paid": paid, "payment": payment, "credited": credited, "note": note, "order": order}


@pytest.mark.parametrize(
    ("statement", "kind", "record", "says"),
    [
        ("UPDATE invoice_lines SET total = 79 WHERE total = 80", "invoice_lines", "paid",
         "net sum is 100.00, and its lines come to 99.00"),
        ("UPDATE invoices SET tax_groups = '[]' WHERE id = '{paid}'", "invoice_tax", "paid",
         "tax is 19.00, and its taxes come to 0.00"),
        ("UPDATE credit_note_lines SET total = total + 1 WHERE credit_note_id = '{note}'",
         "credit_note_lines", "note", "net sum is 15.97, and its lines come to 16.97"),
        ("UPDATE credit_notes SET amount = amount + 1, tax = tax + 1 WHERE id = '{note}'",
         "invoice_credited", "credited", "is credited 19.00, and its credit notes come to 20.00"),
        ("UPDATE refunds SET amount = 11 WHERE payment_id = '{payment}'", "payment_refunded",
         "payment", "went back by 10.00, and its refunds come to 11.00"),
        ("UPDATE orders SET total = total + 1 WHERE id = '{order}'", "order_items", "order",
         "items less the discount come to"),
        ("UPDATE invoices SET subtotal = subtotal - 1, total = total - 1"
         " WHERE order_id = '{order}'", "order_billing", "order", "invoiced and 0.00 are still"),
    ],
)  # fmt: skip
def test_a_sum_that_is_not_that_of_its_parts_is_told(
    api: Api, tenant: Tenant, books: dict[str, Any], statement: str, kind: str, record: str,
    says: str,
) -> None:  # fmt: skip
    by_hand(tenant, statement.format(**{name: each["id"] for name, each in books.items()}))
    [found] = [fault for fault in faults(api) if fault["kind"] == kind]
    assert found["entity_id"] == books[record]["id"]
    assert says in found["detail"]


def test_an_allocation_that_is_not_what_it_was_is_told_of_both_sides(
    api: Api, tenant: Tenant, books: dict[str, Any]
) -> None:
    payment_id = books["payment"]["id"]
    by_hand(tenant, f"UPDATE payment_allocations SET amount = 18 WHERE payment_id = '{payment_id}'")
    assert {(fault["kind"], fault["entity_id"]) for fault in faults(api)} == {
        ("invoice_paid", books["paid"]["id"]),
        ("payment_allocated", payment_id),
    }


@pytest.mark.parametrize("which", ["paid", "credited"])
def test_a_number_that_no_document_has_is_told(
    api: Api, tenant: Tenant, books: dict[str, Any], which: str
) -> None:
    year, serial = books[which]["number"].split("-")
    by_hand(
        tenant, f"UPDATE invoices SET number = '{year}-99999' WHERE id = '{books[which]['id']}'"
    )
    [found] = [fault for fault in faults(api) if fault["kind"] == "number_gap"]
    assert found["detail"] == f"The series invoice:{year} lacks {int(serial)}."
    assert found["entity_id"] is None


def test_numbers_that_were_given_out_and_used_by_nothing_are_told(
    api: Api, tenant: Tenant, books: dict[str, Any]
) -> None:
    year = books["paid"]["number"].split("-")[0]
    by_hand(tenant, "UPDATE number_series SET last = last + 12 WHERE series LIKE 'credit_note:%'")
    [found] = faults(api)
    expected = ", ".join(str(n) for n in range(2, 12))
    assert found["detail"] == f"The series credit_note:{year} lacks {expected} and 2 more."


def test_a_series_whose_pattern_was_changed_is_not_judged(
    api: Api, billing: Billing, books: dict[str, Any]
) -> None:
    assert api.put("/api/organization", {"invoice_number_pattern": "R{n}/{year}"}).status == 200
    billing.final()
    assert faults(api) == []


def test_a_schedule_counts_what_is_still_to_be_drafted(
    api: Api, tenant: Tenant, books: dict[str, Any]
) -> None:
    parts = [("a", "2026-01-01"), ("b", "2999-01-01")]
    shares = json.dumps([{"name": name, "percent": "50", "on": day} for name, day in parts])
    order_id = books["order"]["id"]
    by_hand(
        tenant,
        f"UPDATE invoice_schedules SET kind = 'milestones', shares = '{shares}',"
        f" next_period = '2999-01-01' WHERE order_id = '{order_id}'",
    )
    [found] = faults(api)
    assert (found["kind"], found["entity_id"]) == ("order_billing", order_id)
    assert "10700.99 are invoiced and 5350.49 are still to be drafted" in found["detail"]


def test_the_job_changes_nothing_and_only_administrators_ask(
    api: Api, tenant: Tenant, books: dict[str, Any]
) -> None:
    by_hand(tenant, f"UPDATE refunds SET amount = 11 WHERE payment_id = '{books['payment']['id']}'")
    before = faults(api)
    tenant.run(lambda: enqueue("billing.audit_money", "now", {}))
    assert tenant.run_jobs("billing.audit_money") == 1
    assert faults(api) == before != []
    member = Api(app=api.app, api_key=tenant.key("member"))
    assert member.get(AUDIT).status == 403


def test_nobody_is_told_of_another_organizations_faults(
    api: Api, tenant: Tenant, other_tenant: Tenant, books: dict[str, Any]
) -> None:
    by_hand(tenant, f"UPDATE refunds SET amount = 11 WHERE payment_id = '{books['payment']['id']}'")
    assert len(faults(api)) == 1
    assert faults(Api(app=api.app, api_key=other_tenant.api_key)) == []
