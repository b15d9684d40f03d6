"""A project's phases: back only with a reason, and only while the project is Active."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.tenants import Api, Tenant


@pytest.fixture
def project(api: Api) -> dict[str, Any]:
    """A project at Kickoff, with its path."""
    engagement = api.made("/api/engagements", {"name": "x"})
    made = api.made("/api/projects", {"name": "x", "engagement_id": engagement["id"]})
    return {**made, "path": f"/api/projects/{made['id']}"}


def advance(api: Api, project: dict[str, Any], steps: int) -> str:
    for _ in range(steps):
        phase = api.made(f"{project['path']}/advance")["phase"]
    return str(phase)


def test_going_back_from_testing_to_build_needs_a_reason(
    api: Api, tenant: Tenant, project: dict[str, Any]
) -> None:
    assert advance(api, project, 3) == "Testing"
    refused = api.put(project["path"], {"phase": "Build"})
    assert refused.status == 422
    assert "reason" in refused.json["errors"]
    assert api.put(project["path"], {"phase": "Build", "reason": " "}).status == 422
    assert api.get(project["path"]).json["phase"] == "Testing"
    back = api.put(project["path"], {"phase": "Build", "reason": "The form loses text."})
    assert back.json["phase"] == "Build"
    [step] = tenant.rows(
        "SELECT reason FROM phase_changes WHERE organization_id = %(organization_id)s"
        " AND from_phase = 'testing'"
    )
    assert step["reason"] == "The form loses text."


def test_the_phase_of_a_paused_project_stands_still(api: Api, project: dict[str, Any]) -> None:
    assert api.put(project["path"], {"status": "Paused"}).status == 200
    assert api.post(f"{project['path']}/advance").status == 409
    assert api.get(project["path"]).json["phase"] == "Kickoff"
    assert api.put(project["path"], {"status": "Active"}).status == 200
    assert advance(api, project, 1) == "Setup"


def test_only_from_testing_a_project_goes_back(api: Api, project: dict[str, Any]) -> None:
    advance(api, project, 1)
    for _ in range(2):
        answer = api.post(f"{project['path']}/return", {"reason": "The forms fail."})
        assert answer.status == 409
        assert "only from Testing" in answer.json["detail"]
        advance(api, project, 1)
    assert api.made(f"{project['path']}/return", {"reason": "The forms fail."})["phase"] == "Build"


def test_an_open_task_blocks_the_next_phase_however_it_is_asked_for(
    api: Api, project: dict[str, Any]
) -> None:
    api.made(f"{project['path']}/tasks", {"name": "Sign off", "blocks_phase": True})
    for answer in (
        api.post(f"{project['path']}/advance"),
        api.put(project["path"], {"phase": "Setup"}),
    ):
        assert answer.status == 409
        assert "Sign off" in answer.json["detail"]
    assert api.get(project["path"]).json["phase"] == "Kickoff"
    forced = {"force": True, "reason": "They agreed."}
    assert api.made(f"{project['path']}/advance", forced)["phase"] == "Setup"
