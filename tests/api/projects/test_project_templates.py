"""Project templates: what a plan adds to a project, and that it adds nothing twice."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.tenants import Api, Tenant, a_proposal

PATH = "/api/project-templates"
PLAN = {
    "name": "Website",
    "milestones": [{"name": "Design", "due_offset_days": 10}, {"name": "Launch"}],
    "tasks": [
        {"name": "Sketch", "due_offset_days": 3, "milestone": "Design", "estimate_minutes": 60},
        {"name": "Draw", "due_offset_days": 7, "milestone": "Design", "depends_on": ["Sketch"]},
        {"name": "Sign off", "blocks_phase": True, "priority": "high"},
    ],
}


@pytest.fixture
def template(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.made(PATH, PLAN)
    return made


@pytest.fixture
def project(api: Api) -> dict[str, Any]:
    engagement = api.made("/api/engagements", {"name": "x"})
    body = {"name": "x", "engagement_id": engagement["id"], "start_date": "2026-03-01"}
    made: dict[str, Any] = api.made("/api/projects", body)
    return made


def tasks(api: Api, project_id: str) -> dict[str, dict[str, Any]]:
    found = api.get(f"/api/projects/{project_id}/tasks?sort=position").json["data"]
    return {task["name"]: api.get(f"/api/tasks/{task['id']}").json for task in found}


def use(api: Api, template: dict[str, Any], project: dict[str, Any], verb: str = "apply") -> Any:
    body = {"project_id": project["id"]}
    return api.made(f"{PATH}/{template['id']}/{verb}", body)["added"]


def test_a_plan_is_kept_in_its_order(api: Api, template: dict[str, Any]) -> None:
    found = api.get(f"{PATH}/{template['id']}").json
    assert [m["name"] for m in found["milestones"]] == ["Design", "Launch"]
    assert [(t["name"], t["milestone"], t["depends_on"]) for t in found["tasks"]] == [
        ("Sketch", "Design", []), ("Draw", "Design", ["Sketch"]), ("Sign off", None, []),
    ]  # fmt: skip
    assert found["version"] == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tasks": [{"name": "a"}, {"name": "a"}]}, "tasks.1.name"),
        ({"tasks": [{"name": "a", "milestone": "No"}]}, "tasks.0.milestone"),
        ({"tasks": [{"name": "a", "depends_on": ["b"]}]}, "tasks.0.depends_on.0"),
        ({"tasks": [{"name": "a", "depends_on": ["a"]}]}, "tasks.0.depends_on.0"),
        ({"tasks": [{"name": "a", "due_offset_days": -1}]}, "tasks.0.due_offset_days"),
    ],
)
def test_a_plan_that_does_not_hang_together_is_refused_by_name(
    api: Api, change: dict[str, Any], field: str
) -> None:
    answer = api.post(PATH, {**PLAN, **change})
    assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_applying_plans_the_work_from_the_project_s_start(
    api: Api, template: dict[str, Any], project: dict[str, Any]
) -> None:
    shown = use(api, template, project, "preview")
    assert tasks(api, project["id"]) == {}
    added = use(api, template, project)
    assert [(a["kind"], a["name"], a["due_date"]) for a in added] == [
        (a["kind"], a["name"], a["due_date"]) for a in shown
    ]
    planned = tasks(api, project["id"])
    assert list(planned) == ["Sketch", "Draw", "Sign off"]
    assert planned["Sketch"]["due_date"] == "2026-03-04"
    assert [t["name"] for t in planned["Draw"]["depends_on"]] == ["Sketch"]
    assert (planned["Sign off"]["blocks_phase"], planned["Sign off"]["priority"]) == (True, "high")
    milestones = api.get(f"/api/projects/{project['id']}/milestones").json["data"]
    design = {m["id"]: m["due_date"] for m in milestones if m["name"] == "Design"}
    assert design == {planned["Sketch"]["milestone_id"]: "2026-03-11"}


def test_applying_twice_adds_nothing_twice_and_a_newer_version_what_is_new(
    api: Api, template: dict[str, Any], project: dict[str, Any]
) -> None:
    use(api, template, project)
    gone = tasks(api, project["id"])["Sign off"]
    api.delete(f"/api/tasks/{gone['id']}")
    assert use(api, template, project) == []
    newer = [*PLAN["tasks"][1:], {"name": "Publish", "depends_on": ["Draw"]}]  # type: ignore[index]
    newer[0] = {"name": "Draw", "due_offset_days": 8}
    api.put(f"{PATH}/{template['id']}", {"tasks": newer})
    assert api.get(f"{PATH}/{template['id']}").json["version"] == 2
    assert [added["name"] for added in use(api, template, project)] == ["Publish"]
    planned = tasks(api, project["id"])
    assert list(planned) == ["Sketch", "Draw", "Publish"]
    assert planned["Publish"]["depends_on"][0]["id"] == planned["Draw"]["id"]


def test_applying_at_once_adds_nothing_twice(
    api: Api, template: dict[str, Any], project: dict[str, Any]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda _: len(use(api, template, project)), range(4)))
    assert sorted(added) == [0, 0, 0, 5]


def test_a_signature_plans_the_work_of_its_services(
    api: Api, tenant: Tenant, template: dict[str, Any]
) -> None:
    service = api.made(
        "/api/services",
        {
            "name": "Website",
            "price": "10.00",
            "currency": "EUR",
            "project_template_id": template["id"],
        },
    )
    items = [{"name": "Website", "price": "10.00", "service_id": service["id"]}]
    proposal = api.made("/api/proposals", a_proposal(items=items))
    api.made(f"/api/proposals/{proposal['id']}/send")
    api.made(f"/api/proposals/{proposal['id']}/sign", Prefer="respond-async")
    tenant.run_jobs()
    [project] = api.get("/api/projects").json["data"]
    planned = tasks(api, project["id"])
    assert [t["name"] for t in planned["Draw"]["depends_on"]] == ["Sketch"]
    today = dt.datetime.now(dt.UTC).date()
    assert planned["Sketch"]["due_date"] == (today + dt.timedelta(days=3)).isoformat()
    assert use(api, template, project) == [], "it has all of it"


def test_a_deleted_plan_plans_nothing_and_is_not_applied(
    api: Api, template: dict[str, Any], project: dict[str, Any]
) -> None:
    assert api.delete(f"{PATH}/{template['id']}").status == 204
    answer = api.post(f"{PATH}/{template['id']}/apply", {"project_id": project["id"]})
    assert answer.status == 404
