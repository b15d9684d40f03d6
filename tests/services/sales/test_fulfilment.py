"""Several signatures carried out in one transaction: each as if it had been alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.api.test_query_counts import counted
from tests.support.tenants import Api, Tenant
from webapp.services.sales.fulfilment import fulfil_signatures


@pytest.fixture(autouse=True)
def connected(api: Api) -> None:
    """A new connection asks the server about itself first; that is not counted."""
    api.made("/api/companies", {"name": "x"})


def signed(api: Api, tenant: Tenant, count: int, **changes: Any) -> list[UUID]:
    """Sign so many proposals; the ids of the signatures."""
    before = {row["id"] for row in _signatures(tenant)}
    for _ in range(count):
        assert api.sign(api.send_proposal(**changes)).status == 202
    return [row["id"] for row in _signatures(tenant) if row["id"] not in before]


def _signatures(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.rows("SELECT id FROM signatures WHERE organization_id = %(organization_id)s")


def test_signatures_fulfilled_together_get_an_engagement_and_an_order_each(
    api: Api, tenant: Tenant
) -> None:
    ids = signed(api, tenant, 3)
    tenant.run(lambda: fulfil_signatures(ids))
    orders = tenant.rows(
        "SELECT number, engagement_id, proposal_id FROM orders"
        " WHERE organization_id = %(organization_id)s ORDER BY number"
    )
    assert [order["number"] for order in orders] == ["O-00001", "O-00002", "O-00003"]
    assert len({order["engagement_id"] for order in orders}) == 3
    for order in orders:
        proposal = api.get(f"/api/proposals/{order['proposal_id']}").json
        assert proposal["converted_engagement_id"] == str(order["engagement_id"])
        engagement = api.get(f"/api/engagements/{order['engagement_id']}").json
        assert engagement["name"] == f"{proposal['client_company']['name']} - Engagement"
        names = [item["name"] for item in proposal["items"]]
        assert sorted(project["name"] for project in engagement["projects"]) == sorted(names)
    assert tenant.count("jobs", "kind = 'sales.render_signed_document'") == 3
    assert tenant.count("invoices") == 3


def test_two_signatures_into_one_engagement_both_count_when_fulfilled_together(
    api: Api, tenant: Tenant
) -> None:
    engagement = api.made(
        "/api/engagements", {"name": "Ours", "total_value": "10.00", "currency": "EUR"}
    )
    ids = signed(
        api,
        tenant,
        2,
        engagement_id=engagement["id"],
        contact={"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com"},
        items=[{"name": "One", "price": "5.50", "quantity": 1}],
    )
    tenant.run(lambda: fulfil_signatures(ids))
    now = api.get(f"/api/engagements/{engagement['id']}").json
    assert now["total_value"] == "21.00"
    assert len(now["projects"]) == 2
    assert tenant.count("portal_accesses") == 1, "the contact got in twice, or not at all"
    assert tenant.count("engagement_contracts") == 2


def test_fulfilling_many_takes_as_many_statements_as_fulfilling_two(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for count in (2, 6):
        ids = signed(api, tenant, count)
        with counted(monkeypatch) as statements:
            tenant.run(lambda ids=ids: fulfil_signatures(ids))
        counts.append(len(statements))
    assert counts[0] == counts[1], statements
