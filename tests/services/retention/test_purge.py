"""The purge takes what its retention is over for, and nothing else (retention.md, *Purge*).

Ages are made by moving the times of real rows into the past, on the real tables.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from models.db.base import Base, db
from tests.support.tenants import Api, Tenant
from webapp.services.retention import purge as deletion

TABLES = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


def change(tenant: Tenant, *statements: str, **values: Any) -> None:
    """Rewrite rows of the tenant, as time or an operator would have."""

    def work() -> None:
        for statement in statements:
            db.session.execute(text(statement), {"org": tenant.id, **values})

    tenant.run(work)


def age(tenant: Tenant, table: str, days: int, condition: str = "true", **values: Any) -> None:
    """Let rows be trashed `days` ago."""
    change(
        tenant,
        f"UPDATE {table} SET deleted_at = now() - make_interval(days => :days)"
        f" WHERE organization_id = :org AND {condition}",
        days=days,
        **values,
    )


def purge(tenant: Tenant, limit: int = 1000) -> dict[str, int]:
    return tenant.run(lambda: deletion.purge(limit))


def signed_engagement(tenant: Tenant, api: Api) -> dict[str, Any]:
    """What a signature created, with a message in each conversation and a member's note."""
    sent = api.send_proposal()
    assert api.sign(sent).status == 202
    tenant.run_jobs()
    proposal = api.get(f"/api/proposals/{sent['id']}").json
    engagement = api.get(f"/api/engagements/{proposal['converted_engagement_id']}").json
    for conversation in engagement["conversations"]:
        api.made(
            f"/api/projects/{conversation['project_id']}/conversations/{conversation['id']}"
            "/messages",
            {"content": "Hello"},
        )
    tenant.run_jobs()
    return engagement


def trashed(tenant: Tenant, api: Api, days: int) -> dict[str, Any]:
    """A signed engagement that was trashed `days` ago."""
    engagement = signed_engagement(tenant, api)
    api.made(f"/api/engagements/{engagement['id']}/trash")
    tenant.run_jobs()
    for table in ("engagements", "projects", "conversations", "messages", "tasks", "milestones"):
        age(tenant, table, days, "deleted_at IS NOT NULL")
    return engagement


def settle(tenant: Tenant, years: int = 8) -> None:
    """Let the money records and signatures be so old."""
    moment = f"now() - interval '{years} years'"
    change(
        tenant,
        f"UPDATE orders SET created_at = {moment} WHERE organization_id = :org",
        f"UPDATE invoices SET created_at = {moment} WHERE organization_id = :org",
        f"UPDATE payments SET received_at = {moment} WHERE organization_id = :org",
    )
    # Signatures are append-only for the application, so the owner of the tables ages them.
    tenant.rows(
        f"UPDATE signatures SET signed_at = {moment}"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )


def pay_an_invoice(
    tenant: Tenant, paid: str = "now()", *, issued: str = "created_at", credited: int = 0
) -> None:
    """Issue the draft invoice on the day given in SQL, and receive its money at such a time."""
    change(
        tenant,
        f"UPDATE invoices SET number = 'I-1', status = 'paid', issued_on = ({issued})::date,"
        f" due_date = ({issued})::date, seller = '{{}}', buyer = '{{}}', paid_at = created_at,"
        f" paid = total - {credited}, credited = {credited} WHERE organization_id = :org",
        "INSERT INTO payments (organization_id, id, amount, allocated, currency, method,"
        f" received_at) SELECT :org, gen_random_uuid(), paid, paid, currency, 'transfer', {paid}"
        " FROM invoices WHERE organization_id = :org",
        "INSERT INTO payment_allocations (organization_id, id, payment_id, invoice_id, amount)"
        " SELECT :org, gen_random_uuid(), p.id, i.id, p.amount FROM invoices i, payments p"
        " WHERE i.organization_id = :org AND p.organization_id = :org",
    )


def issue_again(tenant: Tenant, day: str) -> None:
    """Let a final invoice be of another day, which only the owner of the tables can."""
    for state in ("DISABLE", "ENABLE"):
        tenant.execute(f"ALTER TABLE invoices {state} TRIGGER keep_final")
        if state == "DISABLE":
            tenant.rows(
                f"UPDATE invoices SET issued_on = ({day})::date, due_date = ({day})::date"
                " WHERE organization_id = %(organization_id)s RETURNING id"
            )


@pytest.fixture
def company(api: Api) -> Callable[[str], UUID]:
    return lambda name: UUID(api.made("/api/companies", {"name": name})["id"])


def test_only_what_was_trashed_longer_ago_than_the_retention_goes(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    old, recent, living = company("Old"), company("Recent"), company("Living")
    age(tenant, "client_companies", 31, "id = :id", id=old)
    age(tenant, "client_companies", 29, "id = :id", id=recent)
    assert purge(tenant) == {"client_companies": 1}
    left = tenant.rows(
        "SELECT id FROM client_companies WHERE organization_id = %(organization_id)s"
    )
    assert {row["id"] for row in left} == {recent, living}


def test_the_organizations_own_retention_counts(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    age(tenant, "client_companies", 10, "id = :id", id=company("Old"))
    assert purge(tenant) == {}
    change(tenant, "UPDATE organizations SET retention_days = 7 WHERE id = :org")
    assert purge(tenant) == {"client_companies": 1}


def test_another_organizations_trash_is_not_touched(
    tenant: Tenant, other_tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    age(tenant, "client_companies", 31, "id = :id", id=company("Old"))
    assert purge(other_tenant) == {}
    assert tenant.count("client_companies") == 1


def test_a_run_is_bounded_and_asks_for_the_next_until_all_is_gone(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    for number in range(5):
        company(f"Old {number}")
    age(tenant, "client_companies", 31)
    assert purge(tenant, 2) == {"client_companies": 2}
    assert tenant.count("jobs", "kind = 'deletion.purge' AND state = 'ready'") == 1
    assert purge(tenant, 2) == {"client_companies": 2}
    assert purge(tenant, 2) == {"client_companies": 1}
    # The two runs that reached their bound asked for another, the third did not.
    assert tenant.count("jobs", "kind = 'deletion.purge'") == 2
    tenant.run_jobs("deletion.purge")
    assert tenant.count("jobs", "kind = 'deletion.purge' AND state = 'done'") == 2


def test_children_go_before_their_parents_inside_the_bound(tenant: Tenant, api: Api) -> None:
    trashed(tenant, api, 400)
    settle(tenant)
    projects = tenant.count("projects")
    assert projects == 3
    while counts := purge(tenant, 2):
        assert sum(counts.values()) <= 2
        if tenant.count("messages"):
            assert tenant.count("conversations") == 3
        if tenant.count("phase_changes") or tenant.count("conversations"):
            assert tenant.count("projects") == 3 - counts.get("projects", 0)
    assert tenant.count("projects") == tenant.count("messages") == 0


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


def test_a_project_trashed_by_itself_goes_although_money_keeps_its_engagement(
    tenant: Tenant, api: Api
) -> None:
    engagement = signed_engagement(tenant, api)
    api.delete(f"/api/projects/{engagement['projects'][0]['id']}")
    for table in ("projects", "conversations", "messages"):
        age(tenant, table, 31, "deleted_at IS NOT NULL")
    counts = purge(tenant)
    assert counts["projects"] == counts["conversations"] == counts["messages"] == 1


def test_an_engagement_whose_purge_has_begun_is_not_restored_by_halves(
    tenant: Tenant, api: Api
) -> None:
    engagement = trashed(tenant, api, 400)
    settle(tenant)
    assert sum(purge(tenant, 4).values()) == 4
    assert tenant.count("engagements") == 1, "it is not through yet"
    answer = api.post(f"/api/engagements/{engagement['id']}/restore")
    assert answer.status == 409
    assert "deletion has begun" in answer.json["detail"]
    assert tenant.count("projects", "deleted_at IS NULL") == 0
    while purge(tenant, 4):
        pass
    assert tenant.count("engagements") == 0


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


def test_a_message_trashed_by_itself_goes_alone(tenant: Tenant, api: Api) -> None:
    signed_engagement(tenant, api)
    [message, *_] = tenant.rows(
        "SELECT id FROM messages WHERE organization_id = %(organization_id)s"
    )
    age(tenant, "messages", 31, "id = :id", id=message["id"])
    assert purge(tenant) == {"messages": 1}


def test_a_trashed_draft_goes_with_its_link_and_a_signed_proposal_stays(
    tenant: Tenant, api: Api
) -> None:
    signed_engagement(tenant, api)
    settle(tenant)  # not the signature's age keeps it, but the order of a living engagement
    waiting = api.send_proposal()
    age(tenant, "proposals", 31)
    counts = purge(tenant)
    assert counts == {
        "credentials": 1,
        "signing_links": 1,
        "proposal_versions": 1,
        "proposal_items": 3,
        "proposals": 1,
    }
    left = tenant.rows("SELECT id FROM proposals WHERE organization_id = %(organization_id)s")
    assert waiting["id"] not in {str(row["id"]) for row in left}
    assert tenant.count("signatures") == 1


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


def test_what_somebody_holds_is_left_for_the_next_run(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    company("Old")
    age(tenant, "client_companies", 31)

    def held() -> dict[str, int]:
        db.session.execute(text("SELECT id FROM client_companies FOR UPDATE"))
        with ThreadPoolExecutor(1) as other:
            return other.submit(purge, tenant).result(10)

    assert tenant.run(held) == {}
    assert purge(tenant) == {"client_companies": 1}
