"""Any sequence of calls about work, against a small model of what the rules allow.

Engagement, projects, their phases, conversations and messages. The model has its own table of
moves, so that it does not repeat a mistake of the product's.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.scenarios.test_money_machine import TIMES
from tests.support.tenants import Api, Tenant

pytestmark = pytest.mark.long

OF_ENGAGEMENT = {
    "Active": {"Paused", "Closed", "Cancelled"},
    "Paused": {"Active", "Closed", "Cancelled"},
    "Closed": {"Cancelled"},
    "Cancelled": set(),
}
OF_PROJECT = {
    "Active": {"Paused", "Completed", "Cancelled"},
    "Paused": {"Active", "Completed", "Cancelled"},
    "Completed": {"Active"},
    "Cancelled": set(),
}
PHASES = ["Kickoff", "Setup", "Build", "Testing", "Deployment", "Handoff"]
OVER = ("Closed", "Cancelled")


class Work(RuleBasedStateMachine):
    """One engagement with its projects and what is said in them."""

    app: Flask
    projects = Bundle("projects")
    talks = Bundle("talks")
    messages = Bundle("messages")

    @initialize()
    def start(self) -> None:
        self.tenant = Tenant.create(self.app)
        self.api = Api(app=self.app, api_key=self.tenant.api_key)
        made = self.api.made("/api/engagements", {"name": "Relaunch"})
        self.engagement = f"/api/engagements/{made['id']}"
        self.status = "Active"
        self.project: dict[str, dict[str, Any]] = {}
        self.talk: dict[str, dict[str, Any]] = {}

    @rule(to=st.sampled_from(["Active", "Paused", "Closed", "Cancelled"]))
    def move_engagement(self, to: str) -> None:
        answer = self.api.put(self.engagement, {"status": to})
        if to == self.status or to in OF_ENGAGEMENT[self.status]:
            assert answer.status == 200, answer.text
            self.status = to
        else:
            assert answer.status == 409, answer.text

    @rule(target=projects)
    def begin_project(self) -> Any:
        body = {"engagement_id": self.engagement.rpartition("/")[2], "name": "Website"}
        answer = self.api.post("/api/projects", body)
        if self.status in OVER:
            assert answer.status == 409, answer.text
            return multiple()
        assert answer.status == 201, answer.text
        path = f"/api/projects/{answer.json['id']}"
        self.project[path] = {"status": "Active", "steps": ["Kickoff"]}
        return path

    @rule(path=projects, to=st.sampled_from(["Active", "Paused", "Completed", "Cancelled"]))
    def move_project(self, path: str, to: str) -> None:
        project = self.project[path]
        answer = self.api.put(path, {"status": to, "reason": "It is so."})
        if to == project["status"] or to in OF_PROJECT[project["status"]]:
            assert answer.status == 200, answer.text
            project["status"] = to
        else:
            assert answer.status == 409, answer.text

    @rule(path=projects)
    def advance(self, path: str) -> None:
        project = self.project[path]
        answer = self.api.post(f"{path}/advance")
        place = PHASES.index(project["steps"][-1])
        if project["status"] != "Active" or place == len(PHASES) - 1:
            assert answer.status == 409, answer.text
            return
        assert answer.status == 200, answer.text
        project["steps"].append(PHASES[place + 1])

    @rule(path=projects)
    def go_back(self, path: str) -> None:
        project = self.project[path]
        answer = self.api.post(f"{path}/return", {"reason": "The forms fail."})
        if project["status"] != "Active" or project["steps"][-1] != "Testing":
            assert answer.status == 409, answer.text
            return
        assert answer.status == 200, answer.text
        project["steps"].append("Build")

    @rule(target=talks, path=projects)
    def begin_talk(self, path: str) -> str:
        made = self.api.made(f"{path}/conversations", {"subject": "Questions"})
        talk = f"{path}/conversations/{made['id']}"
        self.talk[talk] = {"status": "Open", "messages": {}}
        return talk

    @rule(talk=talks, to=st.sampled_from(["Open", "Closed"]))
    def move_talk(self, talk: str, to: str) -> None:
        assert self.api.put(talk, {"status": to}).status == 200
        self.talk[talk]["status"] = to

    @rule(target=messages, talk=talks, is_internal=st.booleans())
    def say(self, talk: str, is_internal: bool) -> Any:
        answer = self.api.post(f"{talk}/messages", {"content": "x", "is_internal": is_internal})
        if self.talk[talk]["status"] == "Closed":
            assert answer.status == 409, answer.text
            return multiple()
        assert answer.status == 201, answer.text
        path = f"{talk}/messages/{answer.json['id']}"
        self.talk[talk]["messages"][path] = (is_internal, answer.json["created_at"])
        return path

    @rule(path=messages)
    def take_back(self, path: str) -> None:
        said = self.talk[path.rpartition("/messages/")[0]]["messages"]
        answer = self.api.delete(path)
        assert answer.status == (204 if path in said else 404), answer.text
        said.pop(path, None)

    @rule(path=messages)
    def make_internal_what_was_posted(self, path: str) -> None:
        assert self.api.put(path, {"is_internal": True}).status in (404, 422)

    @precondition(lambda self: hasattr(self, "engagement"))
    @invariant()
    def what_is_read_is_what_was_done(self) -> None:
        self.tenant.run_jobs("conversations.touch")
        whole = self.api.get(self.engagement).json
        assert whole["status"] == self.status
        assert (whole["closed_at"] is not None) == (self.status in OVER)
        told = {f"/api/projects/{each['id']}": each for each in whole["projects"]}
        assert told.keys() == self.project.keys()
        for path, project in self.project.items():
            assert told[path]["status"] == project["status"]
            assert told[path]["phase"] == project["steps"][-1]
            steps = self.api.get(f"{path}/phases").json["data"]
            assert sorted(step["phase"] for step in steps) == sorted(project["steps"])
        for path, talk in self.talk.items():
            found = self.api.get(path).json
            times = list(talk["messages"].values())
            shown = [at for is_internal, at in times if not is_internal]
            assert (found["status"], found["message_count"]) == (talk["status"], len(times))
            assert found["last_message_at"] == max(shown, default=None)


@pytest.mark.parametrize("steps", [25])
def test_no_sequence_of_calls_reaches_what_the_rules_of_work_forbid(app: Flask, steps: int) -> None:
    Work.app = app
    with contextlib.suppress(AttributeError):
        del Work.TestCase
    run_state_machine_as_test(
        Work,
        settings=settings(
            max_examples=20 * TIMES,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
