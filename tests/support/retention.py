"""Rows made older than they are, so that their retention is over or not yet.

Ages are made by moving the times of real rows into the past, on the real tables.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Api, Tenant
from webapp.services.retention import purge as deletion


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
