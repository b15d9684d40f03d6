"""Engagements are found by what is asked for, through an index, and kept by a legal hold."""

from __future__ import annotations

from typing import Any

import pytest

from models.db.queries import execute
from tests.support.tenants import Api, Tenant
from webapp.services.common.reads import PageShape, page_query
from webapp.services.engagements.queries import ENGAGEMENTS

PATH = "/api/engagements"


def made(api: Api, name: str, **more: Any) -> str:
    return str(api.made(PATH, {"name": name, **more})["id"])


def found(api: Api, query: str) -> set[str]:
    answer = api.get(f"{PATH}?{query}")
    assert answer.status == 200, answer.text
    return {engagement["name"] for engagement in answer.json["data"]}


def test_a_name_is_found_by_its_beginning_in_any_letter_case(api: Api) -> None:
    for name in ("Ärzte Nord", "ärzte Süd", "Juniper 100%", "Juniper 1000"):
        made(api, name)
    assert found(api, "q=%C3%A4RZTE") == {"Ärzte Nord", "ärzte Süd"}
    assert found(api, "q=juniper") == {"Juniper 100%", "Juniper 1000"}
    assert found(api, "q=juniper+100%25") == {"Juniper 100%"}
    assert found(api, "q=uniper") == set()


def test_engagements_are_found_by_their_days(api: Api) -> None:
    made(api, "early", start_date="2026-01-01", end_date="2026-06-30")
    made(api, "late", start_date="2026-07-01", end_date="2026-12-31")
    made(api, "undated")
    assert found(api, "starts_from=2026-07-01") == {"late"}
    assert found(api, "starts_until=2026-06-30") == {"early"}
    assert found(api, "ends_from=2026-07-01") == {"late"}
    assert found(api, "ends_until=9999-12-31&sort=end_date") == {"early", "late"}
    assert found(api, "created_from=2020-01-01T00:00:00Z&q=e") == {"early"}
    assert found(api, "created_until=2020-01-01T00:00:00Z") == set()


def test_engagements_are_found_by_when_they_were_closed(api: Api) -> None:
    closed = made(api, "closed")
    made(api, "open")
    assert api.delete(f"{PATH}/{closed}").status == 204
    assert found(api, "closed_from=2020-01-01T00:00:00Z") == {"closed"}
    assert found(api, "closed_until=2020-01-01T00:00:00Z") == set()


def test_engagements_are_found_by_active_projects_and_by_contract(api: Api) -> None:
    working = made(api, "working")
    made(api, "idle")
    project = api.made("/api/projects", {"engagement_id": working, "name": "x"})
    contract = api.made(f"{PATH}/{working}/contracts", {"name": "Care"})
    assert found(api, "has_active_projects=true") == {"working"}
    assert found(api, "has_active_projects=false") == {"idle"}
    assert found(api, f"contract_id={contract['id']}") == {"working"}
    assert api.put(f"/api/projects/{project['id']}", {"status": "Completed"}).status == 200
    assert found(api, "has_active_projects=true") == set()


FILTERED = [
    ("q", "ix_engagements_name_key", {"q": "needle"}),
    ("closed_from", "ix_engagements_closed_at", {"closed_from": "2026-01-01T00:00:00Z"}),
    ("starts_from", "ix_engagements_start_date", {"starts_from": "2040-01-01"}),
    ("ends_until", "ix_engagements_end_date", {"ends_until": "2001-01-01"}),
]


def test_each_is_found_through_an_index_among_a_hundred_thousand(tenant: Tenant) -> None:
    """As the application's role, under row-level security, by plans the database itself chooses."""
    tenant.execute(
        "INSERT INTO engagements (organization_id, id, name, owner_id, start_date, end_date,"
        f" created_at) SELECT '{tenant.id}', gen_random_uuid(), md5(n::text), 'x',"
        " date '2020-01-01' + n % 3000, date '2030-01-01', now() - n * interval '1 minute'"
        " FROM generate_series(1, 100000) n"
    )
    tenant.execute("ANALYZE engagements")

    def used(name: str, values: dict[str, Any]) -> str:
        query = page_query(ENGAGEMENTS, PageShape((name,), "created_at", True, False, False))
        [row] = execute(
            f"EXPLAIN (FORMAT JSON) {query.plain}",
            {**query.defaults, **values, "page_limit": 21},
        )
        return str(row["QUERY PLAN"])

    try:
        for name, index, values in FILTERED:
            plan = tenant.run(lambda name=name, values=values: used(name, values))
            assert f"'{index}'" in plan, (name, plan)
    finally:
        tenant.execute(f"DELETE FROM engagements WHERE organization_id = '{tenant.id}'")
        tenant.execute("ANALYZE engagements")


def test_a_legal_hold_is_set_and_lifted_with_a_reason(api: Api, tenant: Tenant) -> None:
    engagement = made(api, "Disputed")
    path = f"{PATH}/{engagement}/legal-hold"
    assert list(api.post(path, {"held": True, "reason": " "}).json["errors"]) == ["reason"]
    held = api.post(path, {"held": True, "reason": "Court order 7"})
    assert held.status == 200, held.text
    assert (held.json["legal_hold"], held.json["legal_hold_reason"]) == (True, "Court order 7")
    assert api.post(path, {"held": True, "reason": "again"}).status == 409
    lifted = api.post(path, {"held": False, "reason": "Settled"})
    assert (lifted.json["legal_hold"], lifted.json["legal_hold_reason"]) == (False, None)
    tenant.run_jobs("activity.record")
    events = api.get(f"{PATH}/{engagement}/timeline?sort=occurred_at").json["data"]
    told = {event["type"]: event["metadata"] for event in events}
    assert told["legal_hold_set"] == {"reason": "Court order 7"}
    assert told["legal_hold_lifted"] == {"reason": "Settled"}


def test_a_trashed_engagement_is_held_as_well(api: Api) -> None:
    engagement = made(api, "Disputed")
    assert api.post(f"{PATH}/{engagement}/trash").status == 200
    held = api.post(f"{PATH}/{engagement}/legal-hold", {"held": True, "reason": "Court order 7"})
    assert held.status == 200, held.text
    assert held.json["legal_hold"]


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_does_not_run_the_firm_neither_sets_nor_lifts_a_hold(
    api: Api, tenant: Tenant, role: str
) -> None:
    engagement = made(api, "Disputed")
    other = Api(app=api.app, api_key=tenant.key(role))
    answer = other.post(f"{PATH}/{engagement}/legal-hold", {"held": True, "reason": "x"})
    assert answer.status == 403
