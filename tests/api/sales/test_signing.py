"""A signature's way through the running system, over real HTTP with a real worker."""

from __future__ import annotations

from tests.conftest import Live
from tests.support.tenants import eventually


def test_signing_answers_with_everything_it_created(live: Live) -> None:
    proposal = live.send_proposal()
    answer = live.api.sign(proposal, client=live.client, Prefer="wait=20")
    assert answer.status == 200, answer.text
    assert answer.headers["Preference-Applied"] == "wait=20"
    body = answer.json
    assert list(body) == ["proposal", "engagement", "projects", "order"]
    assert body["engagement"]["status"] == "Active"
    assert body["engagement"]["name"].endswith(" - Engagement")
    assert [p["name"] for p in body["projects"]] == ["Discovery", "Website build", "Care plan"]
    assert {p["phase"] for p in body["projects"]} == {"Kickoff"}
    assert body["order"]["total"] == "10700.99"
    assert body["order"]["engagement_id"] == body["engagement"]["id"]


def test_signing_asynchronously_answers_with_the_result_to_ask_for(live: Live) -> None:
    proposal = live.send_proposal()
    answer = live.api.sign(proposal, client=live.client)
    assert answer.status == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    created = eventually(lambda: live.client.get(answer.headers["Location"]).json["engagement"])
    assert created["status"] == "Active"
