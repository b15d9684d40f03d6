"""What was deleted is gone for everybody who asks, though the purge has not come yet."""

from __future__ import annotations

import pytest

from tests.support.tenants import Api, Tenant

THINGS = [
    ("/api/companies", "client_companies", {"name": "x"}),
    ("/api/contacts", "contacts", {"first_name": "a", "last_name": "b", "email": "a@example.com"}),
    ("/api/deals", "deals", {"name": "x"}),
    ("/api/services", "services", {"name": "x", "price": "1.00", "currency": "EUR"}),
    ("/api/proposals", "proposals", {"name": "x", "currency": "EUR"}),
]


@pytest.mark.parametrize(("path", "table", "body"), THINGS, ids=lambda part: str(part)[:20])
def test_a_deleted_record_is_neither_shown_nor_changed(
    api: Api, tenant: Tenant, path: str, table: str, body: dict[str, str]
) -> None:
    made = api.made(path, body)
    one = f"{path}/{made['id']}"
    assert api.delete(one).status == 204
    assert tenant.count(table, "deleted_at IS NOT NULL") == 1
    assert api.get(one).status == 404
    assert api.get(path).json["data"] == []
    assert api.get(f"{path}?include=total").json["meta"]["total"] == 0
    field = next(name for name in body if name.endswith("name"))
    assert api.put(one, {field: "y"}).status == 404
    assert api.delete(one).status == 404


def test_a_deleted_record_cannot_be_referred_to(api: Api) -> None:
    company = api.made("/api/companies", {"name": "x"})
    api.delete(f"/api/companies/{company['id']}")
    answer = api.post("/api/deals", {"name": "x", "client_company_id": company["id"]})
    assert answer.status == 422
    assert "client_company_id" in answer.json["errors"]


def test_restoring_takes_back_exactly_what_was_trashed_with_it(api: Api, tenant: Tenant) -> None:
    engagement = api.made("/api/engagements", {"name": "x"})
    kept, gone = (
        api.made("/api/projects", {"name": name, "engagement_id": engagement["id"]})
        for name in ("kept", "gone")
    )
    assert api.delete(f"/api/projects/{gone['id']}").status == 204
    path = f"/api/engagements/{engagement['id']}"
    api.made(f"{path}/trash")
    assert api.get(path).status == 404
    assert api.get(f"/api/projects/{kept['id']}").status == 404
    api.made(f"{path}/restore")
    assert [project["id"] for project in api.get(path).json["projects"]] == [kept["id"]]
    assert api.get(f"/api/projects/{gone['id']}").status == 404
