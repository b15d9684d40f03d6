"""Tasks and milestones: planned, ordered, waiting for each other, and what they keep back."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.tenants import Api, Tenant


@pytest.fixture
def project(api: Api) -> dict[str, Any]:
    engagement = api.made("/api/engagements", {"name": "Website"})
    body = {"name": "Build", "engagement_id": engagement["id"]}
    made: dict[str, Any] = api.made("/api/projects", body)
    return made


def plan(api: Api, project: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.made(f"/api/projects/{project['id']}/tasks", {"name": name, **more})
    return made


def names(api: Api, project: dict[str, Any]) -> list[str]:
    data = api.get(f"/api/projects/{project['id']}/tasks?sort=position").json["data"]
    assert [task["position"] for task in data] == list(range(len(data)))
    return [task["name"] for task in data]


def test_a_task_has_what_was_planned(api: Api, project: dict[str, Any]) -> None:
    milestone = api.made(f"/api/projects/{project['id']}/milestones", {"name": "Launch"})
    made = plan(
        api, project, "Draw the logo",
        priority="high", due_date="2026-03-01", estimate_minutes=90, milestone_id=milestone["id"],
        checklist=[{"text": "Sketch"}, {"text": "Colour", "done": True}],
    )  # fmt: skip
    found = api.get(f"/api/tasks/{made['id']}").json
    assert (found["status"], found["status_id"], found["priority"]) == ("To-do", 1, "high")
    assert found["checklist"] == [
        {"text": "Sketch", "done": False},
        {"text": "Colour", "done": True},
    ]
    assert (found["milestone_id"], found["estimate_minutes"]) == (milestone["id"], 90)
    assert found["project"]["name"] == "Build"
    assert (found["is_overdue"], found["is_blocked"], found["depends_on"]) == (True, False, [])


def test_tasks_keep_their_order_and_are_moved_within_it(api: Api, project: dict[str, Any]) -> None:
    a, b, c = (plan(api, project, name) for name in "abc")
    plan(api, project, "d", position=0)
    assert names(api, project) == ["d", "a", "b", "c"]
    moved = api.made(f"/api/tasks/{c['id']}/move", {"position": 1, "status": "In progress"})
    assert (moved["position"], moved["status"]) == (1, "In progress")
    assert names(api, project) == ["d", "c", "a", "b"]
    api.made(f"/api/tasks/{a['id']}/move", {"position": 99})
    assert names(api, project) == ["d", "c", "b", "a"]
    assert api.get(f"/api/tasks/{b['id']}").headers["ETag"].startswith('"1-'), "others stay"
    assert api.post(f"/api/tasks/{a['id']}/move", {}).status == 422


def test_tasks_moved_at_once_keep_an_order_without_gaps(api: Api, project: dict[str, Any]) -> None:
    made = [plan(api, project, str(n)) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(
            lambda task: api.post(f"/api/tasks/{task['id']}/move", {"position": 0}).status, made
        )
    assert set(answers) == {200}
    assert sorted(names(api, project)) == [str(n) for n in range(6)]


def test_a_task_waits_for_the_open_ones_it_depends_on(api: Api, project: dict[str, Any]) -> None:
    first = plan(api, project, "first")
    second = plan(api, project, "second", depends_on=[first["id"]])
    path = f"/api/tasks/{second['id']}"
    found = api.get(path).json
    assert (found["is_blocked"], [t["name"] for t in found["depends_on"]]) == (True, ["first"])
    answer = api.put(path, {"status": "In progress"})
    assert (answer.status, "first" in answer.json["detail"]) == (409, True)
    blocked = api.get("/api/tasks?blocked=true").json["data"]
    assert [task["id"] for task in blocked] == [second["id"]]
    api.put(f"/api/tasks/{first['id']}", {"status": "Completed"})
    assert api.put(path, {"status": "Completed"}).json["completed_at"]


def test_a_circle_of_waiting_is_refused_by_name(api: Api, project: dict[str, Any]) -> None:
    a = plan(api, project, "a")
    b = plan(api, project, "b", depends_on=[a["id"]])
    c = plan(api, project, "c", depends_on=[b["id"]])
    for wanted in (c, a):
        answer = api.put(f"/api/tasks/{a['id']}", {"depends_on": [wanted["id"]]})
        assert (answer.status, list(answer.json["errors"])) == (422, ["depends_on.0"])
    assert api.get(f"/api/tasks/{a['id']}").json["depends_on"] == []


def test_two_changes_at_once_make_no_circle(api: Api, project: dict[str, Any]) -> None:
    """Each alone is no circle with what is there; both together are."""
    for _ in range(8):
        b, c = plan(api, project, "b"), plan(api, project, "c")
        a = plan(api, project, "a", depends_on=[b["id"]])
        together = threading.Barrier(2)

        def let_wait(pair: tuple[Any, Any], together: Any = together) -> int:
            together.wait()
            body = {"depends_on": [pair[1]["id"]]}
            return api.put(f"/api/tasks/{pair[0]['id']}", body).status

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(let_wait, [(b, c), (c, a)])) == [200, 422]


def test_a_task_of_another_project_is_not_waited_for(api: Api, project: dict[str, Any]) -> None:
    other = api.made("/api/projects", {"name": "x", "engagement_id": project["engagement_id"]})
    there = plan(api, other, "there")
    milestone = api.made(f"/api/projects/{other['id']}/milestones", {"name": "x"})
    path = f"/api/projects/{project['id']}/tasks"
    for body, field in (
        ({"depends_on": [there["id"]]}, "depends_on.0"),
        ({"milestone_id": milestone["id"]}, "milestone_id"),
    ):
        answer = api.post(path, {"name": "x", **body})
        assert (answer.status, list(answer.json["errors"])) == (422, [field])


def test_only_a_member_of_the_organization_is_given_work(
    api: Api, project: dict[str, Any], tenant: Tenant, other_tenant: Tenant
) -> None:
    from webapp.services.identity.accounts import create_user

    def member(of: Tenant, name: str) -> str:
        address = f"{name}@{of.slug}.example"
        return str(
            of.run(lambda: create_user(address, name, "a long enough password", role="member").id)
        )

    mine, stranger = member(tenant, "Kim"), member(other_tenant, "Alex")
    made = plan(api, project, "x", assignee_id=mine)
    assert made["assignee"] == {"id": mine, "name": "Kim"}
    found = api.get(f"/api/tasks?assignee_id={mine}").json["data"]
    assert [task["id"] for task in found] == [made["id"]]
    answer = api.put(f"/api/tasks/{made['id']}", {"assignee_id": stranger})
    assert (answer.status, list(answer.json["errors"])) == (422, ["assignee_id"])


def test_the_progress_of_a_project_counts_its_tasks(api: Api, project: dict[str, Any]) -> None:
    path = f"/api/projects/{project['id']}"
    assert api.get(path).json["progress"] == {"tasks": 0, "completed": 0, "percent": None}
    made = [plan(api, project, name) for name in "abcd"]
    api.put(f"/api/tasks/{made[0]['id']}", {"status": "Completed"})
    api.put(f"/api/tasks/{made[1]['id']}", {"status": "Cancelled"})
    assert api.get(path).json["progress"] == {"tasks": 3, "completed": 1, "percent": 33}


def test_an_open_task_that_blocks_the_phase_keeps_the_project_back(
    api: Api, project: dict[str, Any]
) -> None:
    task = plan(api, project, "Sign off", blocks_phase=True)
    path = f"/api/projects/{project['id']}/advance"
    answer = api.post(path)
    assert (answer.status, "Sign off" in answer.json["detail"]) == (409, True)
    assert api.post(path, {"force": True}).status == 422
    assert api.made(path, {"force": True, "reason": "Agreed by phone"})["phase"] == "Setup"
    api.put(f"/api/tasks/{task['id']}", {"status": "Completed"})
    assert api.made(path)["phase"] == "Build"


def test_the_history_of_its_phases_says_how_long_each_took(
    api: Api, project: dict[str, Any], tenant: Tenant
) -> None:
    path = f"/api/projects/{project['id']}"
    for _ in range(3):
        api.made(f"{path}/advance")
    assert api.post(f"{path}/return", {}).status == 422
    assert api.made(f"{path}/return", {"reason": "It does not work yet"})["phase"] == "Build"
    assert api.post(f"{path}/return", {"reason": "x"}).status == 409
    tenant.rows(
        "UPDATE phase_changes SET changed_at = changed_at - interval '2 hours'"
        " WHERE from_phase IS NULL AND organization_id = %(organization_id)s RETURNING id"
    )
    steps = api.get(f"{path}/phases").json["data"]
    assert [step["phase"] for step in steps] == ["Kickoff", "Setup", "Build", "Testing", "Build"]
    assert 7200 <= steps[0]["seconds"] < 7260
    assert (steps[-1]["until"], steps[-1]["reason"]) == (None, "It does not work yet")


@pytest.mark.parametrize("state", ["project", "engagement"])
def test_what_is_over_takes_no_new_work(api: Api, project: dict[str, Any], state: str) -> None:
    task = plan(api, project, "there before")
    closed = {
        "project": (f"/api/projects/{project['id']}", "Completed"),
        "engagement": (f"/api/engagements/{project['engagement_id']}", "Closed"),
    }
    path, status = closed[state]
    assert api.put(path, {"status": status}).status == 200
    for kind in ("tasks", "milestones"):
        answer = api.post(f"/api/projects/{project['id']}/{kind}", {"name": "x"})
        assert (answer.status, status in answer.json["detail"]) == (409, True)
    assert api.put(f"/api/tasks/{task['id']}", {"status": "Completed"}).status == 200


def test_a_deleted_task_is_waited_for_no_more(api: Api, project: dict[str, Any]) -> None:
    first = plan(api, project, "first")
    second = plan(api, project, "second", depends_on=[first["id"]])
    assert api.delete(f"/api/tasks/{first['id']}").status == 204
    assert api.put(f"/api/tasks/{second['id']}", {"status": "Completed"}).status == 200


def test_a_milestone_is_reached_and_its_tasks_stay_when_it_is_deleted(
    api: Api, project: dict[str, Any]
) -> None:
    path = f"/api/projects/{project['id']}/milestones"
    first = api.made(path, {"name": "Design", "due_date": "2026-03-01"})
    second = api.made(path, {"name": "Launch"})
    ordered = api.get(f"{path}?sort=position").json["data"]
    assert [m["id"] for m in ordered] == [first["id"], second["id"]]
    reached = api.put(f"{path}/{first['id']}", {"reached": True}).json["completed_at"]
    assert reached
    again = api.put(f"{path}/{first['id']}", {"reached": True, "name": "D"}).json["completed_at"]
    assert again == reached, "it was reached when it was reached"
    task = plan(api, project, "x", milestone_id=first["id"])
    assert api.delete(f"{path}/{first['id']}").status == 204
    assert api.get(f"/api/tasks/{task['id']}").json["milestone_id"] is None


def test_tasks_over_all_projects_are_found_by_engagement_and_day(
    api: Api, project: dict[str, Any]
) -> None:
    other = api.made("/api/engagements", {"name": "Other"})
    elsewhere = api.made("/api/projects", {"name": "x", "engagement_id": other["id"]})
    soon = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3)
    late = plan(api, project, "late", due_date="2026-01-01")
    coming = plan(api, project, "soon", due_date=soon.isoformat())
    plan(api, elsewhere, "elsewhere")

    def found(query: str) -> list[str]:
        return [task["id"] for task in api.get(f"/api/tasks?{query}").json["data"]]

    here = f"engagement_id={project['engagement_id']}"
    assert found(f"{here}&sort=due_date") == [late["id"], coming["id"]]
    assert found("overdue=true") == [late["id"]]
    assert found(f"due_from={soon.isoformat()}") == [coming["id"]]
