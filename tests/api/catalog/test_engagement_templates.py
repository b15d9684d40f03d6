"""Engagement templates: what is sold together becomes a proposal, or an engagement."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.tenants import Api, Tenant

PATH = "/api/engagement-templates"
START = "2026-09-01"


def a_service(api: Api, **values: Any) -> Any:
    plan = api.made(
        "/api/project-templates",
        {
            "name": "Plan",
            "milestones": [{"name": "Agreed", "due_offset_days": 14}],
            "tasks": [
                {"name": "Sketch", "due_offset_days": 7, "milestone": "Agreed"},
                {"name": "Agree", "depends_on": ["Sketch"]},
            ],
        },
    )
    return api.made(
        "/api/services",
        {
            "name": "Website",
            "description": "All pages",
            "price": "6000.00",
            "currency": "EUR",
            "project_template_id": plan["id"],
            **values,
        },
    )


def a_template(api: Api, **values: Any) -> Any:
    body = {
        "name": "Relaunch",
        "currency": "EUR",
        "services": [
            {"service_id": a_service(api)["id"], "conversations": ["Design", "Content"]},
            {"name": "Hosting", "price": "100.50", "quantity": 2},
        ],
        "schedule": {"kind": "deposit", "deposit_percent": 40, "rest_offset_days": 30},
        **values,
    }
    return api.made(PATH, body)


def a_client(api: Api) -> dict[str, str]:
    company = api.made("/api/companies", {"name": "Harbour Books"})
    contact = api.made("/api/contacts", {"first_name": "Sam", "client_company_id": company["id"]})
    return {"client_company_id": company["id"], "contact_id": contact["id"]}


def apply(api: Api, template: Any, target: str, **values: Any) -> Any:
    return api.made(f"{PATH}/{template['id']}/apply", {"target": target, **values})


def everything(tenant: Tenant) -> dict[str, int]:
    """How many rows there are of what a template can make."""
    tables = (
        "proposals", "proposal_items", "engagements", "projects", "phase_changes", "milestones",
        "tasks", "task_dependencies", "conversations", "invoice_schedules", "portal_accesses",
        "jobs", "number_series",
    )  # fmt: skip
    return {table: tenant.count(table) for table in tables}


def test_a_template_is_kept_as_it_was_given_and_counts_its_versions(api: Api) -> None:
    template = a_template(api)
    assert template["version"] == 1
    [website, hosting] = template["services"]
    assert (website["name"], website["price"], website["quantity"]) == (None, None, 1)
    assert website["project_template_id"] is not None
    assert (hosting["name"], hosting["price"], hosting["quantity"]) == ("Hosting", "100.50", 2)
    assert template["schedule"]["rest_offset_days"] == 30
    changed = api.put(f"{PATH}/{template['id']}", {"schedule": None, "services": []}).json
    assert (changed["version"], changed["schedule"], changed["services"]) == (2, None, [])
    assert api.delete(f"{PATH}/{template['id']}").status == 204
    assert api.get(f"{PATH}/{template['id']}").status == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"services": [{"name": "No price"}]}, "services.0.price"),
        ({"services": [{"price": "1.00"}]}, "services.0.name"),
        ({"services": [{"service_id": "0198c0de-7a00-7000-8000-000000000042"}]},
         "services.0.service_id"),
        ({"schedule": {"kind": "deposit", "deposit_percent": 40}}, "schedule.rest_offset_days"),
        ({"schedule": {"kind": "monthly"}}, "schedule.amount"),
        ({"schedule": {"kind": "once", "hours": "3.00"}}, "schedule.hours"),
        ({"schedule": {"kind": "once", "end_offset_days": 3}}, "schedule.end_offset_days"),
        ({"schedule": {"kind": "monthly", "amount": "1.00", "start_offset_days": 5,
                       "end_offset_days": 4}}, "schedule.end_offset_days"),
        ({"schedule": {"kind": "milestones", "milestones": [
            {"name": "a", "percent": 90, "offset_days": 0}]}}, "schedule.milestones"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_by_name(
    api: Api, changes: dict[str, Any], field: str
) -> None:
    answer = api.post(PATH, {"name": "x", "currency": "EUR", **changes})
    assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert api.get(PATH).json["data"] == []


def test_a_price_in_another_currency_is_asked_for(api: Api) -> None:
    service = a_service(api, currency="USD")
    line = {"service_id": service["id"]}
    refused = api.post(PATH, {"name": "x", "currency": "EUR", "services": [line]})
    assert list(refused.json["errors"]) == ["services.0.price"]
    body = {"name": "x", "currency": "EUR", "services": [{**line, "price": "5.00"}]}
    assert api.post(PATH, body).status == 201


def test_a_proposal_of_a_template_has_its_items(api: Api) -> None:
    template = a_template(api)
    client = a_client(api)
    made = apply(api, template, "proposal", name="For Harbour", **client)
    proposal = api.get(f"/api/proposals/{made['proposal']['id']}").json
    assert (proposal["status"], proposal["name"]) == ("Draft", "For Harbour")
    assert proposal["client_company_id"] == client["client_company_id"]
    assert proposal["total"] == made["proposal"]["total"] == "6201.00"
    assert [(i["name"], i["price"], i["quantity"]) for i in proposal["items"]] == [
        ("Website", "6000.00", 1), ("Hosting", "100.50", 2),
    ]  # fmt: skip
    terms = {"kind": "deposit", "deposit_percent": 40, "rest_after_days": 30}
    assert proposal["billing"] == made["proposal"]["billing"] == terms
    assert proposal["items"][0]["service_id"] == template["services"][0]["service_id"]
    refused = api.post(f"{PATH}/{template['id']}/apply", {"target": "proposal", "starts_on": START})
    assert list(refused.json["errors"]) == ["starts_on"]


def test_an_engagement_of_a_template_has_all_below_it(api: Api, tenant: Tenant) -> None:
    start = dt.datetime.now(dt.UTC).date()
    client = a_client(api)
    made = apply(api, a_template(api), "engagement", starts_on=start.isoformat(), **client)
    engagement = api.get(f"/api/engagements/{made['engagement']['id']}").json
    assert (engagement["name"], engagement["total_value"]) == ("Relaunch", "6201.00")
    assert (engagement["start_date"], engagement["status"]) == (start.isoformat(), "Active")
    assert [p["name"] for p in engagement["projects"]] == ["Website", "Hosting"]
    assert {p["phase"] for p in engagement["projects"]} == {"Kickoff"}
    assert [c["subject"] for c in engagement["conversations"]] == ["Design", "Content", "Hosting"]
    website, hosting = made["projects"]
    due = (start + dt.timedelta(days=14)).isoformat()
    assert [(m["name"], m["due_date"]) for m in website["milestones"]] == [("Agreed", due)]
    tasks = api.get(f"/api/projects/{website['id']}/tasks?sort=position").json["data"]
    assert [(t["name"], t["is_blocked"]) for t in tasks] == [("Sketch", False), ("Agree", True)]
    assert [t["id"] for t in tasks] == [t["id"] for t in website["tasks"]]
    assert hosting["tasks"] == []
    [step] = api.get(f"/api/projects/{hosting['id']}/phases").json["data"]
    assert step["phase"] == "Kickoff"
    schedule = api.get(f"/api/invoice-schedules/{made['schedule']['id']}").json
    assert (schedule["kind"], schedule["amount"]) == ("deposit", "6201.00")
    assert [(i["date"], i["amount"]) for i in made["schedule"]["invoices"]] == [
        (start.isoformat(), "2480.40"),
        ((start + dt.timedelta(days=30)).isoformat(), "3720.60"),
    ]
    assert made["portal_access"] == {"contact_id": client["contact_id"]}
    assert tenant.count("portal_accesses", "contact_id = %(id)s", id=client["contact_id"]) == 1
    tenant.run_jobs()
    timeline = api.get(f"/api/engagements/{engagement['id']}/timeline").json["data"]
    assert {"created", "template_applied"} <= {event["type"] for event in timeline}


@pytest.mark.parametrize("target", ["proposal", "engagement"])
def test_a_preview_shows_what_is_made_and_makes_nothing(
    api: Api, tenant: Tenant, target: str
) -> None:
    template = a_template(api)
    body = {"target": target, **a_client(api)}
    before = everything(tenant)
    preview = api.made(f"{PATH}/{template['id']}/preview", body)
    assert everything(tenant) == before
    made = api.made(f"{PATH}/{template['id']}/apply", body)

    def without_ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: None if key in ("id", "number") else without_ids(each)
                for key, each in value.items()
            }
        return [without_ids(each) for each in value] if isinstance(value, list) else value

    assert preview == without_ids(made) != made


def test_a_template_is_applied_once_for_an_idempotency_key(api: Api, tenant: Tenant) -> None:
    template = a_template(api)
    path, body = f"{PATH}/{template['id']}/apply", {"target": "engagement"}
    first = api.post(path, body, Idempotency_Key="once")
    again = api.post(path, body, Idempotency_Key="once")
    assert first.status == again.status == 201
    assert first.json == again.json
    assert tenant.count("engagements") == 1


def test_nothing_is_made_where_a_part_is_refused(api: Api, tenant: Tenant) -> None:
    template = a_template(api)
    before = everything(tenant)
    path = f"{PATH}/{template['id']}/apply"
    # A schedule begins at most a year ago: it comes last, when all else is there.
    refused = api.post(path, {"target": "engagement", "starts_on": "2020-01-01"})
    assert (refused.status, list(refused.json["errors"])) == (422, ["starts_on"])
    far = api.post(path, {"target": "engagement", "starts_on": "9999-12-31"})
    assert (far.status, list(far.json["errors"])) == (422, ["starts_on"])
    assert everything(tenant) == before


def test_a_template_with_a_deleted_service_is_not_applied(api: Api) -> None:
    template = a_template(api)
    api.delete(f"/api/services/{template['services'][0]['service_id']}")
    for target in ("proposal", "engagement"):
        answer = api.post(f"{PATH}/{template['id']}/apply", {"target": target})
        assert answer.status == 409, answer.text
    assert api.get("/api/engagements").json["data"] == []


def test_applying_a_version_that_was_changed_meanwhile_is_refused(api: Api) -> None:
    template = a_template(api)
    tag = api.get(f"{PATH}/{template['id']}").headers["ETag"]
    api.put(f"{PATH}/{template['id']}", {"name": "Other"})
    stale = api.post(f"{PATH}/{template['id']}/apply", {"target": "engagement"}, If_Match=tag)
    assert stale.status == 412


def test_without_portal_access_the_contact_does_not_get_in(api: Api, tenant: Tenant) -> None:
    template = a_template(api, portal_access=False, schedule=None)
    made = apply(api, template, "engagement", **a_client(api))
    assert (made["portal_access"], made["schedule"]) == (None, None)
    assert tenant.count("portal_accesses") == tenant.count("invoice_schedules") == 0


def test_who_may_not_write_proposals_makes_none_of_a_template(api: Api, tenant: Tenant) -> None:
    template = a_template(api)
    key = tenant.key("admin", ("engagements:write", "engagements:read"))
    narrow = Api(app=api.app, api_key=key)
    path = f"{PATH}/{template['id']}/apply"
    assert narrow.post(path, {"target": "proposal"}).status == 403
    assert narrow.post(path, {"target": "engagement"}).status == 201


def test_what_is_made_begins_with_the_defaults_of_custom_fields(api: Api) -> None:
    for kind in ("engagement", "project"):
        field = {"key": "tier", "label": "Tier", "type": "text", "default": f"{kind} gold"}
        api.made("/api/custom-fields", {"entity_type": kind, **field})
    made = apply(api, a_template(api), "engagement")
    engagement = api.get(f"/api/engagements/{made['engagement']['id']}").json
    assert engagement["custom_fields"] == {"tier": "engagement gold"}
    project = api.get(f"/api/projects/{made['projects'][0]['id']}").json
    assert project["custom_fields"] == {"tier": "project gold"}


def test_a_template_made_from_an_engagement_makes_such_a_one_again(api: Api) -> None:
    client = a_client(api)
    first = apply(api, a_template(api), "engagement", **client)
    answer = api.post(f"/api/engagements/{first['engagement']['id']}/template", {"name": "Again"})
    assert answer.status == 201, answer.text
    template = answer.json
    assert answer.headers["Location"] == f"{PATH}/{template['id']}"
    assert template["name"] == "Again"
    assert template["portal_access"] is True
    assert [line["conversations"] for line in template["services"]] == [["Design", "Content"], []]
    assert template["schedule"] == {
        "kind": "deposit", "name": "Services", "start_offset_days": 0, "deposit_percent": 40,
        "rest_offset_days": 30, "amount": "6201.00",
    }  # fmt: skip
    # Nobody signed for these: what is a service has its price, what is none has none.
    assert [line["price"] for line in template["services"]] == [None, "0.00"]


def test_a_template_of_what_was_signed_has_the_prices_it_was_sold_for(
    api: Api, tenant: Tenant
) -> None:
    service = a_service(api)
    api.sign(
        api.send_proposal(
            items=[{"name": "Website", "price": "5000.00", "quantity": 2,
                    "service_id": service["id"]}]
        )
    )  # fmt: skip
    tenant.run_jobs()
    [engagement] = api.get("/api/engagements").json["data"]
    template = api.made(f"/api/engagements/{engagement['id']}/template")
    [line] = template["services"]
    assert (line["price"], line["quantity"], line["service_id"]) == ("5000.00", 2, service["id"])
    assert template["schedule"] == {
        "kind": "once",
        "name": "Website relaunch",
        "start_offset_days": 0,
    }
    again = apply(api, template, "engagement", starts_on=dt.datetime.now(dt.UTC).date().isoformat())
    assert again["schedule"]["amount"] == "10000.00"
    assert [task["name"] for task in again["projects"][0]["tasks"]] == ["Sketch", "Agree"]
