"""The days on which a project's phases are due: planned, shown, and moved together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.tenants import Api, Tenant

TEMPLATES = "/api/project-templates"
PHASES = [
    {"phase": "Build", "due_offset_days": 30},
    {"phase": "Setup", "due_offset_days": 10},
    {"phase": 6, "due_offset_days": 60},
]


@pytest.fixture
def project(api: Api) -> dict[str, Any]:
    """A project from 1 January, planned from a template: Setup 11, Build 31 January, Handoff 2
    March; with tasks due on 8, 21 and 31 January and 20 February, and a milestone on 25 January."""
    template = api.made(
        TEMPLATES,
        {
            "name": "Plan",
            "phases": PHASES,
            "milestones": [{"name": "Shown", "due_offset_days": 24}],
            "tasks": [
                {"name": "early", "due_offset_days": 7},
                {"name": "middle", "due_offset_days": 20},
                {"name": "last of Build", "due_offset_days": 30},
                {"name": "late", "due_offset_days": 50},
                {"name": "undated"},
            ],
        },
    )
    engagement = api.made("/api/engagements", {"name": "x"})
    made = api.made(
        "/api/projects",
        {
            "name": "x",
            "engagement_id": engagement["id"],
            "start_date": "2999-01-01",
            "due_date": "2999-03-10",
        },
    )
    api.made(f"{TEMPLATES}/{template['id']}/apply", {"project_id": made["id"]})
    return {**made, "path": f"/api/projects/{made['id']}", "template": template}


def plan(api: Api, project: dict[str, Any]) -> dict[str, str | None]:
    found = api.get(f"{project['path']}/phases").json["plan"]
    assert [each["phase_id"] for each in found] == [1, 2, 3, 4, 5, 6]
    return {each["phase"]: each["due_date"] for each in found if each["due_date"]}


def due(api: Api, project: dict[str, Any]) -> dict[str, str | None]:
    work = [
        *api.get(f"{project['path']}/tasks?limit=100").json["data"],
        *api.get(f"{project['path']}/milestones").json["data"],
    ]
    return {each["name"]: each["due_date"] for each in work}


def state(api: Api, project: dict[str, Any]) -> Any:
    row = api.get(project["path"]).json
    return plan(api, project), due(api, project), row["due_date"], row["updated_at"]


def move(api: Api, project: dict[str, Any], phase: str, **how: Any) -> Any:
    return api.made(f"{project['path']}/reschedule", {"phase": phase, **how})


def test_a_template_keeps_its_phases_in_their_order(api: Api, project: dict[str, Any]) -> None:
    shown = project["template"]["phases"]
    assert [(each["phase"], each["due_offset_days"]) for each in shown] == [
        ("Setup", 10), ("Build", 30), ("Handoff", 60),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("phases", "field"),
    [
        ([{"phase": "Setup", "due_offset_days": 9}, {"phase": "Kickoff", "due_offset_days": 10}],
         "phases.1.due_offset_days"),
        ([{"phase": "Setup", "due_offset_days": 9}, {"phase": 2, "due_offset_days": 9}],
         "phases.1.phase"),
    ],
)  # fmt: skip
def test_phases_out_of_order_are_refused_by_name(
    api: Api, phases: list[dict[str, Any]], field: str
) -> None:
    answer = api.post(TEMPLATES, {"name": "x", "phases": phases})
    assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_the_days_of_phases_are_planned_from_the_template_once(
    api: Api, project: dict[str, Any]
) -> None:
    dates = {"Setup": "2999-01-11", "Build": "2999-01-31", "Handoff": "2999-03-02"}
    assert plan(api, project) == dates
    [step] = api.get(f"{project['path']}/phases").json["data"]
    assert (step["phase"], step["due_date"]) == ("Kickoff", None)
    again = f"{TEMPLATES}/{project['template']['id']}/apply"
    api.made(again, {"project_id": project["id"], "starts_on": "2999-06-01"})
    assert plan(api, project) == dates
    far = api.post(again, {"project_id": project["id"], "starts_on": "9999-12-31"})
    assert (far.status, list(far.json["errors"])) == (422, ["starts_on"])


def test_a_signed_project_has_the_days_of_its_services_template(api: Api, tenant: Tenant) -> None:
    template = api.made(TEMPLATES, {"name": "Plan", "phases": PHASES})
    service = api.made(
        "/api/services",
        {"name": "x", "price": "1.00", "currency": "EUR", "project_template_id": template["id"]},
    )
    api.sign(api.send_proposal(items=[{"name": "x", "price": "1", "service_id": service["id"]}]))
    tenant.run_jobs()
    [project] = api.get("/api/projects").json["data"]
    start = dt.date.fromisoformat(project["start_date"])
    found = plan(api, {"path": f"/api/projects/{project['id']}"})
    assert found["Build"] == (start + dt.timedelta(days=30)).isoformat()


def test_a_phase_moves_with_those_after_it_and_their_open_work(
    api: Api, project: dict[str, Any]
) -> None:
    tasks = {t["name"]: t for t in api.get(f"{project['path']}/tasks").json["data"]}
    api.put(f"/api/tasks/{tasks['late']['id']}", {"status": "Completed"})
    moved = move(api, project, "Build", days=5)
    assert [(m["phase"], m["from"], m["to"]) for m in moved["phases"]] == [
        ("Build", "2999-01-31", "2999-02-05"), ("Handoff", "2999-03-02", "2999-03-07"),
    ]  # fmt: skip
    assert [(m["name"], m["from"], m["to"]) for m in moved["tasks"]] == [
        ("middle", "2999-01-21", "2999-01-26"), ("last of Build", "2999-01-31", "2999-02-05"),
    ]  # fmt: skip
    assert [(m["name"], m["to"]) for m in moved["milestones"]] == [("Shown", "2999-01-30")]
    assert moved["project_due_date"] == {"from": "2999-03-10", "to": "2999-03-15"}
    assert plan(api, project) == {
        "Setup": "2999-01-11", "Build": "2999-02-05", "Handoff": "2999-03-07",
    }  # fmt: skip
    assert due(api, project) == {
        "early": "2999-01-08", "middle": "2999-01-26", "last of Build": "2999-02-05",
        "late": "2999-02-20", "undated": None, "Shown": "2999-01-30",
    }  # fmt: skip
    assert api.get(project["path"]).json["due_date"] == "2999-03-15"


def test_a_phase_moves_to_a_day_back_and_forth(api: Api, project: dict[str, Any]) -> None:
    before = state(api, project)[:3]
    assert move(api, project, "Build", due_date="2999-01-26")["days"] == -5
    assert plan(api, project)["Handoff"] == "2999-02-25"
    assert move(api, project, "Build", due_date="2999-01-31")["days"] == 5
    assert state(api, project)[:3] == before


def test_what_is_moved_tells_others_that_it_changed(
    api: Api, tenant: Tenant, project: dict[str, Any]
) -> None:
    tag = api.get(project["path"]).headers["ETag"]
    [task, *_] = [
        t for t in api.get(f"{project['path']}/tasks").json["data"] if t["name"] == "middle"
    ]
    old = api.get(f"/api/tasks/{task['id']}").headers["ETag"]
    move(api, project, "Build", days=1)
    stale = api.put(f"/api/tasks/{task['id']}", {"name": "x"}, If_Match=old)
    assert stale.status == 412
    path = f"{project['path']}/reschedule"
    assert api.post(path, {"phase": "Build", "days": 1}, If_Match=tag).status == 412
    tenant.run_jobs()
    timeline = api.get(f"/api/engagements/{project['engagement_id']}/timeline").json["data"]
    [event] = [event for event in timeline if event["type"] == "rescheduled"]
    assert event["metadata"] == {"phase": "Build", "days": 1, "tasks": 3, "milestones": 1}


def test_a_preview_shows_what_would_move_and_moves_nothing(
    api: Api, tenant: Tenant, project: dict[str, Any]
) -> None:
    before, jobs = state(api, project), tenant.count("jobs")
    body = {"phase": "Setup", "days": 14}
    shown = api.made(f"{project['path']}/reschedule/preview", body)
    assert (state(api, project), tenant.count("jobs")) == (before, jobs)
    assert shown == move(api, project, **body)
    assert len(shown["tasks"]) == 4


def test_a_phase_without_a_day_gets_one_between_its_neighbours(
    api: Api, project: dict[str, Any]
) -> None:
    before = state(api, project)
    for phase, how, field in (
        ("Testing", {"days": 3}, "days"),
        ("Testing", {"due_date": "2999-01-30"}, "due_date"),
        ("Testing", {"due_date": "2999-03-03"}, "due_date"),
        ("Kickoff", {"due_date": "2998-12-31"}, "due_date"),
    ):
        answer = api.post(f"{project['path']}/reschedule", {"phase": phase, **how})
        assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert state(api, project) == before
    made = move(api, project, "Testing", due_date="2999-02-10")
    assert made["phases"] == [{"phase": "Testing", "phase_id": 4, "from": None, "to": "2999-02-10"}]
    assert plan(api, project)["Testing"] == "2999-02-10"


@pytest.mark.parametrize(
    ("phase", "how", "field"),
    [
        ("Build", {"due_date": "2999-01-10"}, "due_date"),
        ("Build", {"days": -21}, "days"),
        ("Setup", {"days": -11}, "days"),
        ("Setup", {"due_date": "9999-12-31"}, "due_date"),
        ("Setup", {"days": 3651}, "days"),
        ("Setup", {}, "due_date"),
        ("Setup", {"days": 1, "due_date": "2999-02-01"}, "due_date"),
    ],
)
def test_what_brings_phases_out_of_order_is_refused_by_name(
    api: Api, project: dict[str, Any], phase: str, how: dict[str, Any], field: str
) -> None:
    before = state(api, project)
    answer = api.post(f"{project['path']}/reschedule", {"phase": phase, **how})
    assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert state(api, project) == before


def test_what_is_over_is_not_moved(api: Api, project: dict[str, Any]) -> None:
    api.made(f"{project['path']}/advance")
    api.made(f"{project['path']}/advance")
    path = f"{project['path']}/reschedule"
    assert api.post(path, {"phase": "Setup", "days": 1}).status == 409
    api.put(project["path"], {"status": "Completed"})
    assert api.post(path, {"phase": "Build", "days": 1}).status == 409


def test_a_phase_is_overdue_once_its_day_has_passed_until_it_is_left(api: Api) -> None:
    engagement = api.made("/api/engagements", {"name": "x"})
    made = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
    path = f"/api/projects/{made['id']}"
    today = dt.datetime.now(dt.UTC).date()

    def overdue() -> list[str]:
        found = api.get(f"{path}/phases").json["plan"]
        return [each["phase"] for each in found if each["is_overdue"]]

    for phase, days in (("Kickoff", -2), ("Setup", -1), ("Build", 1)):
        day = (today + dt.timedelta(days=days)).isoformat()
        api.made(f"{path}/reschedule", {"phase": phase, "due_date": day})
    assert overdue() == ["Kickoff", "Setup"]
    api.made(f"{path}/advance")
    assert overdue() == ["Setup"]
    api.put(path, {"status": "Completed"})
    assert overdue() == []
