"""Every route and method, with the credential of one tenant and the ids of another.

Nothing of the other may be seen or changed (tenancy.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from models.db.base import TenantRecord
from tests.support.forms import send_file
from tests.support.tenants import Api, Tenant
from tests.support.world import CANARY, World, populate

# Bodies that would be accepted if the record were the caller's own.
BODIES: dict[str, Any] = {
    "decline_proposal": {"reason": "no"},
    "create_message": {"content": "hello"},
    "update_message": {"content": "hello"},
    "create_conversation": {"subject": "hello"},
    "update_conversation": {"subject": "hello"},
    "update_contact": {"first_name": "x"},
    "update_invoice": {"notes": "x"},
    "update_order": {"currency": "EUR"},
    "legal_hold_engagement": {"held": True, "reason": "x"},
    "attach_contract": {"name": "x"},
    "write_off_invoice": {"reason": "x"},
    "return_project": {"reason": "x"},
    "move_task": {"position": 0},
    "update_webhook": {"description": "x"},
    "update_milestone": {"name": "x"},
    "update_time_entry": {"note": "x"},
    "rotate_api_key": {},
    "update_member": {"role": "viewer"},
    "update_custom_field": {"label": "x"},
    "apply_project_template": {"project_id": str(uuid4())},
    "preview_project_template": {"project_id": str(uuid4())},
    "apply_engagement_template": {"target": "engagement"},
    "preview_engagement_template": {"target": "proposal"},
    "reschedule_project": {"phase": 3, "days": 1},
    "preview_reschedule_project": {"phase": 3, "days": 1},
    "pay_invoice": {"amount": "1.00"},
    "credit_invoice": {"reason": "x"},
    "allocate_payment": {"invoice_id": str(uuid4())},
    "refund_payment": {"amount": "1.00", "reason": "x"},
}
# What must be asked for.
QUERIES = {"list_engagement_messages": f"?q={CANARY}"}
METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass
class Neighbours:
    victim: World
    intruder: World


@pytest.fixture(scope="module")
def neighbours(app: Flask) -> Neighbours:
    worlds = []
    for word in (CANARY, "harmless"):
        tenant = Tenant.create(app, f"{word} firm")
        worlds.append(populate(tenant, Api(app=app, api_key=tenant.api_key), word))
    return Neighbours(*worlds)


def routes(app: Flask) -> list[tuple[str, str, str, set[str]]]:
    """(endpoint, method, rule, names of its ids) of every route behind an API key."""
    found = []
    for rule in app.url_map.iter_rules():
        permission = str(getattr(app.view_functions[rule.endpoint], "permission", ""))
        if not rule.rule.startswith("/api/") or permission.startswith(("open:", "link:")):
            continue
        for method in METHODS:
            if method in (rule.methods or ()):
                name = rule.endpoint.rsplit(".", 1)[-1]
                found.append((name, method, rule.rule, set(rule.arguments)))
    return found


def filled(rule: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        rule = rule.replace(f"<uuid:{name}>", value)
    assert "<" not in rule, f"the world lacks an id for {rule}"
    return rule


# What a job of the victim's own may change meanwhile, and what no tenant owns.
MOVING = {"jobs", "job_attempts", "activity_events", "credentials", "api_keys", "login_sessions"}


def snapshot(tenant: Tenant) -> dict[str, Any]:
    """All that the victim has, table by table, to see that nothing of it changes."""
    tables = {m.class_.__tablename__ for m in TenantRecord.registry.mappers
              if issubclass(m.class_, TenantRecord)}  # fmt: skip
    found = {}
    for table in sorted(tables - MOVING):
        [row] = tenant.rows(
            f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t.id)) AS content FROM {table} t"
            " WHERE organization_id = %(organization_id)s"
        )
        found[table] = (row["count"], row["content"])
    return found


def test_there_are_routes_to_walk(app: Flask) -> None:
    assert len(routes(app)) > 40


def test_another_organizations_ids_are_not_found_on_any_route(
    app: Flask, neighbours: Neighbours
) -> None:
    before = snapshot(neighbours.victim.tenant)
    wrong = []
    for name, method, rule, arguments in routes(app):
        if not arguments:
            continue
        path = filled(rule, neighbours.victim.ids) + QUERIES.get(name, "")
        body = BODIES.get(name, {"name": "taken over"}) if method in ("PUT", "POST") else None
        if method == "POST" and name not in BODIES and not name.startswith("create_"):
            body = None
        if name == "create_file_version":
            answer = send_file(neighbours.intruder.api, path)
        else:
            answer = neighbours.intruder.api.call(method, path, body)
        if answer.status != 404 or CANARY in answer.text:
            wrong.append((method, rule, answer.status, answer.text[:200]))
    assert wrong == []
    assert snapshot(neighbours.victim.tenant) == before


def test_a_mixed_path_of_own_and_foreign_ids_is_not_found(
    app: Flask, neighbours: Neighbours
) -> None:
    wrong = []
    for name, method, rule, arguments in routes(app):
        if len(arguments) < 2:
            continue
        for foreign in arguments:
            ids = neighbours.intruder.ids | {foreign: neighbours.victim.ids[foreign]}
            body = BODIES.get(name, {}) if method in ("PUT", "POST") else None
            path = filled(rule, ids) + QUERIES.get(name, "")
            answer = neighbours.intruder.api.call(method, path, body)
            if answer.status != 404:
                wrong.append((method, rule, foreign, answer.status, answer.text[:200]))
    assert wrong == []


def test_lists_show_nothing_of_another_organization(app: Flask, neighbours: Neighbours) -> None:
    for name, method, rule, arguments in routes(app):
        if method == "GET" and not arguments:
            limit = "?limit=100" if name.startswith("list_") else ""
            if "revenue" in rule:
                limit = "?issued_from=2000-01-01&issued_until=2999-01-01"
            answer = neighbours.intruder.api.get(f"{rule}{limit}")
            assert answer.status == 200, (rule, answer.text)
            assert CANARY not in answer.text, rule


REFERENCES = [
    ("/api/contacts", {"first_name": "a", "last_name": "b", "email": "a@example.com"},
     {"client_company_id": "company_id"}),
    ("/api/deals", {"name": "x"},
     {"client_company_id": "company_id", "contact_id": "contact_id"}),
    ("/api/engagements", {"name": "x"},
     {"client_company_id": "company_id", "contact_id": "contact_id", "deal_id": "deal_id"}),
    ("/api/invoices", {"engagement_id": "own"},
     {"engagement_id": "engagement_id", "client_company_id": "company_id",
      "contact_id": "contact_id", "order_id": "order_id"}),
    ("/api/projects", {"name": "x"},
     {"engagement_id": "engagement_id"}),
    ("/api/proposals", {"name": "x", "currency": "EUR"},
     {"client_company_id": "company_id", "contact_id": "contact_id", "deal_id": "deal_id",
      "engagement_id": "engagement_id"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "field", "id_name"),
    [
        (path, body, field, id_name)
        for path, body, fields in REFERENCES
        for field, id_name in fields.items()
    ],
)
def test_a_reference_to_another_organizations_record_is_refused_by_name(
    neighbours: Neighbours, path: str, body: dict[str, Any], field: str, id_name: str
) -> None:
    foreign = neighbours.victim.ids[id_name]
    own = neighbours.intruder.ids
    body = {key: own[key] if value == "own" else value for key, value in body.items()}
    answer = neighbours.intruder.api.post(path, {**body, field: foreign})
    unknown = neighbours.intruder.api.post(path, {**body, field: str(uuid4())})
    assert answer.status == unknown.status == 422, answer.text
    # It looks the same as an id that nobody has: existence is not told either.
    assert answer.json["errors"] == unknown.json["errors"]
    assert field in answer.json["errors"]


def test_an_item_of_another_organizations_service_is_refused(neighbours: Neighbours) -> None:
    answer = neighbours.intruder.api.post(
        "/api/proposals",
        {
            "name": "x",
            "currency": "EUR",
            "items": [
                {"name": "x", "price": "1.00", "service_id": neighbours.victim.ids["service_id"]}
            ],
        },
    )
    assert answer.status == 422
    assert "items.0.service_id" in answer.json["errors"]


def test_a_signing_link_opens_its_own_proposal_and_nothing_else(
    app: Flask, neighbours: Neighbours
) -> None:
    link = Api(app=app, api_key=neighbours.victim.open_token)
    for path in ("/api/proposals", "/api/engagements", "/api/companies"):
        assert link.get(path).status == 401
    content = Api(app=app).get(f"/api/public/proposals/{neighbours.victim.open_token}")
    assert content.status == 200
    assert neighbours.victim.ids["proposal_id"] not in content.text
