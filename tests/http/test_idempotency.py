"""How long an Idempotency-Key is remembered, and what it is remembered with."""

from __future__ import annotations

from tests.support.tenants import Api, Tenant


def test_a_key_is_free_again_after_a_day(api: Api, tenant: Tenant) -> None:
    first = api.made("/api/engagements", {"name": "x"}, Idempotency_Key="k")
    tenant.rows(
        "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    second = api.made("/api/engagements", {"name": "x"}, Idempotency_Key="k")
    again = api.made("/api/engagements", {"name": "x"}, Idempotency_Key="k")
    assert first["id"] != second["id"] == again["id"]
    assert tenant.count("idempotency_keys") == 1


def test_a_refused_request_leaves_its_key_free(api: Api, tenant: Tenant) -> None:
    engagement = api.made("/api/engagements", {"name": "x"})
    api.delete(f"/api/engagements/{engagement['id']}")
    body = {"name": "x", "engagement_id": "00000000-0000-7000-8000-000000000000"}
    assert api.post("/api/projects", body, Idempotency_Key="k").status == 422
    assert tenant.count("idempotency_keys") == 0
    other = api.made("/api/engagements", {"name": "y"})
    body["engagement_id"] = other["id"]
    assert api.post("/api/projects", body, Idempotency_Key="k").status == 201
