"""Money, evidence and what is on legal hold outlast the purge (retention.md, *Purge*)."""

from __future__ import annotations

import pytest

from models.db.base import Base
from tests.support.retention import (
    age,
    change,
    issue_again,
    pay_an_invoice,
    purge,
    settle,
    signed_engagement,
    trashed,
)
from tests.support.tenants import Api, Tenant

TABLES = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


def test_money_keeps_its_engagement_for_the_years_and_its_work_with_it(
    tenant: Tenant, api: Api
) -> None:
    engagement = trashed(tenant, api, 400)
    assert purge(tenant) == {}
    for table in ("engagements", "orders", "invoices", "signatures", "signed_documents"):
        assert tenant.count(table) == 1, table
    assert tenant.count("order_items") == tenant.count("projects") == tenant.count("messages") == 3
    assert tenant.count("contracts", "status = 'signed'") == 1
    assert tenant.count("activity_events") > 0
    path = f"/api/engagements/{engagement['id']}"
    api.made(f"{path}/restore")
    assert len(api.get(path).json["projects"]) == len(api.get(path).json["conversations"]) == 3
    assert tenant.count("messages", "deleted_at IS NULL") == 3


@pytest.mark.parametrize("table", ["client_companies", "contacts"])
@pytest.mark.parametrize("young", ["order", "invoice", "signature"])
def test_young_money_keeps_the_client_that_it_names(
    tenant: Tenant, api: Api, table: str, young: str
) -> None:
    signed_engagement(tenant, api)
    change(
        tenant,
        "UPDATE contracts SET signed_at = now() - interval '8 years' WHERE organization_id = :org",
    )
    if young == "signature":
        change(
            tenant,
            "UPDATE orders SET created_at = now() - interval '8 years'"
            " WHERE organization_id = :org",
        )
    else:
        settle(tenant)
    if young == "order":
        change(tenant, "UPDATE orders SET created_at = now() WHERE organization_id = :org")
    elif young == "invoice":
        pay_an_invoice(tenant, "now() - interval '8 years'", issued="now()")
    age(tenant, table, 400)
    assert purge(tenant) == {}
    settle(tenant)
    change(
        tenant,
        "UPDATE orders SET created_at = now() - interval '8 years' WHERE organization_id = :org",
    )
    issue_again(tenant, "created_at")
    assert purge(tenant)[table] == 1


def test_after_the_years_the_money_goes_first_and_then_the_engagement(
    tenant: Tenant, api: Api
) -> None:
    trashed(tenant, api, 400)
    settle(tenant)
    pay_an_invoice(tenant, "now() - interval '8 years'")
    counts = purge(tenant)
    tables = list(counts)
    assert tables.index("payments") < tables.index("invoices") < tables.index("orders")
    assert tables.index("orders") < tables.index("signatures") < tables.index("engagements")
    assert counts["engagements"] == counts["orders"] == counts["proposals"] == 1
    for table in ("engagements", "orders", "payments", "signatures", "proposals", "contracts"):
        assert tenant.count(table) == 0, table
    assert tenant.count("credentials", "kind = 'signing_link'") == 0


@pytest.mark.parametrize("young", ["order", "invoice", "payment", "signature", "credit note"])
def test_one_young_money_record_keeps_the_engagement(tenant: Tenant, api: Api, young: str) -> None:
    trashed(tenant, api, 400)
    if young != "signature":
        settle(tenant)
    if young == "order":
        change(tenant, "UPDATE orders SET created_at = now() WHERE organization_id = :org")
    elif young == "invoice":
        pay_an_invoice(tenant, "now() - interval '8 years'", issued="now()")
    elif young == "payment":
        pay_an_invoice(tenant)
    elif young == "credit note":
        pay_an_invoice(tenant, "now() - interval '8 years'", credited=1)
        change(
            tenant,
            "INSERT INTO credit_notes (organization_id, id, invoice_id, number, subtotal, amount,"
            " currency, reason, issued_on) SELECT :org, gen_random_uuid(), id, 'C-1', 1, 1,"
            " currency, 'Late', now() FROM invoices WHERE organization_id = :org",
        )
    else:
        change(
            tenant,
            "UPDATE orders SET created_at = now() - interval '8 years'"
            " WHERE organization_id = :org",
        )
    purge(tenant)
    assert tenant.count("engagements") == tenant.count("orders") == 1
    assert tenant.count("signatures") == 1


def test_a_legal_hold_keeps_the_engagement_and_all_below_it(tenant: Tenant, api: Api) -> None:
    trashed(tenant, api, 400)
    settle(tenant)
    change(tenant, "UPDATE engagements SET legal_hold = true WHERE organization_id = :org")
    age(tenant, "client_companies", 400)
    age(tenant, "contacts", 400)
    age(tenant, "proposals", 400)
    age(tenant, "contracts", 400)
    before = {
        table: tenant.count(table)
        for table in TABLES
        if "organization_id" in TABLES[table].__table__.columns
    }
    assert purge(tenant) == {}
    assert before == {table: tenant.count(table) for table in before}
    change(tenant, "UPDATE engagements SET legal_hold = false WHERE organization_id = :org")
    purge(tenant)
    for table in ("engagements", "projects", "messages", "client_companies", "contacts"):
        assert tenant.count(table) == 0, table


def test_what_was_trashed_by_itself_below_a_legal_hold_stays(tenant: Tenant, api: Api) -> None:
    signed_engagement(tenant, api)
    change(tenant, "UPDATE engagements SET legal_hold = true WHERE organization_id = :org")
    age(tenant, "projects", 400)
    age(tenant, "messages", 400)
    assert purge(tenant) == {}
    change(tenant, "UPDATE engagements SET legal_hold = false WHERE organization_id = :org")
    assert set(purge(tenant)) >= {"projects", "messages"}


def test_a_signature_that_is_not_carried_out_yet_stays(tenant: Tenant, api: Api) -> None:
    api.sign(api.send_proposal())
    age(tenant, "proposals", 31)
    assert purge(tenant) == {}
    settle(tenant)
    assert purge(tenant)["signatures"] == 1


def test_a_signed_contract_stays_for_the_years(tenant: Tenant) -> None:
    insert = (
        "INSERT INTO contracts (organization_id, id, number, name, status, signed_at, deleted_at)"
        " VALUES (:org, gen_random_uuid(), :number, 'Terms', 'signed',"
        " now() - make_interval(years => :years), now() - interval '40 days')"
    )
    change(tenant, insert, number="C-1", years=1)
    change(tenant, insert, number="C-2", years=8)
    change(
        tenant,
        "INSERT INTO contracts (organization_id, id, number, name, deleted_at)"
        " VALUES (:org, gen_random_uuid(), 'C-3', 'Draft', now() - interval '40 days')",
    )
    assert purge(tenant) == {"contracts": 2}
    assert tenant.count("contracts", "number = 'C-1'") == 1
