"""`sx demo` and the sample organization, on the running stack."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import Sx
from tests.conftest import Live
from tests.support.tenants import Api
from webapp.cli import demo_flow as demo
from webapp.cli.sample import seed
from webapp.devstack.processes import free_port

pytestmark = pytest.mark.long


@pytest.fixture
def sx(live: Live) -> Sx:
    return Sx({name: live.env[name] for name in
               ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "BASE_URL", "VAR_DIR")})  # fmt: skip


def test_the_demo_drives_two_proposals_to_kickoff(sx: Sx, live: Live) -> None:
    report = json.loads(sx("demo", "--key", live.api_key, "--json"))
    assert report["ok"] is True
    assert [run["currency"] for run in report["proposals"]] == ["EUR", "USD"]
    for run in report["proposals"]:
        steps = [step["step"] for step in run["steps"]]
        assert steps == ["drafted", "sent", "viewed", "signed", "engagement", "projects", "order",
                         "timeline"]  # fmt: skip
        assert all(step["milliseconds"] >= 0 for step in run["steps"])
    for table, count in {"engagements": 2, "projects": 6, "orders": 2, "signatures": 2}.items():
        assert live.tenant.count(table) == count, table


def test_the_report_names_what_is_missing_and_the_exit_code_says_so(
    sx: Sx, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = live.tenant.key("viewer")
    said = sx("demo", "--key", viewer, "--json", code=1)
    assert said == ""  # the report goes to standard output, for programs
    runs = demo.run_demo(live.base_url, viewer)
    assert "403" in demo.as_data(runs)["missing"][0]
    assert "MISSING: POST /api/proposals was answered 403" in demo.as_text(runs)
    # An event that nobody writes is noticed too.
    monkeypatch.setattr(demo, "TIMELINE_SECONDS", 0.0)
    runs = demo.run_demo(live.base_url, live.api_key)
    late = [what for run in runs for what in run.missing]
    assert all("on the timeline" in what for what in late)


def test_a_stack_that_does_not_run_and_a_wrong_key_are_one_line(sx: Sx, live: Live) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    said = sx("demo", "--url", nowhere, "--key", live.api_key, code=1)
    assert said.startswith(f"sx: Service Engine X does not run at {nowhere}: start it with")
    assert "401" in sx("demo", "--key", "sx_live_wrong", code=1)


def test_without_a_key_the_samples_is_looked_for(sx: Sx, tmp_path: Path) -> None:
    said = sx("demo", code=1, VAR_DIR=str(tmp_path))
    assert f"no API key in {tmp_path / 'demo.json'}" in said


def test_the_sample_is_made_once_and_its_link_always_waits(
    sx: Sx, live: Live, tmp_path: Path
) -> None:
    first = sx.json("demo-seed", VAR_DIR=str(tmp_path))
    assert set(first) == {
        "organization", "login_email", "login_password", "api_key", "signing_url", "mail",
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600
    again, token = seed(live.tenant.app, tmp_path), _token(first)
    assert _token(again) == token
    assert _secrets(again) == _secrets(first)

    client = Api(base_url=live.base_url)
    proposal = client.get(f"/api/public/proposals/{token}").json
    assert (proposal["status"], len(proposal["items"])) == ("Sent", 3)
    proposal["token"] = token
    assert client.sign(proposal, Prefer="wait=20").status == 200
    second = seed(live.tenant.app, tmp_path)
    assert _token(second) != token
    assert _secrets(second) == _secrets(first)

    # The key works, and `sx demo` takes it from the file.
    staff = Api(base_url=live.base_url, api_key=first["api_key"])
    assert staff.get("/api/proposals?include=total").json["meta"]["total"] == 2
    assert json.loads(sx("demo", "--json", VAR_DIR=str(tmp_path)))["ok"] is True

    # Without the file the organization stays, and gets a new password, key and link.
    elsewhere = tmp_path / "elsewhere"
    third = seed(live.tenant.app, elsewhere)
    assert third["login_password"] != first["login_password"]
    assert third["api_key"] != first["api_key"]
    assert staff.get("/api/services?include=total").json["meta"]["total"] == 3


def _token(made: dict[str, str]) -> str:
    return made["signing_url"].rsplit("/", 1)[1]


def _secrets(made: dict[str, str]) -> tuple[str, str]:
    return made["login_password"], made["api_key"]


def test_a_timeline_without_an_event_is_reported() -> None:
    run = demo.Run("Name", "EUR", engagement_id="x")

    class Silent(demo.Api):
        def call(self, *_: Any, **__: Any) -> Any:
            return {"data": [{"entity_type": "proposal", "type": "signed"}]}

    demo.TIMELINE_SECONDS, seconds = 0.1, demo.TIMELINE_SECONDS
    try:
        demo._check_timeline(run, 3, Silent("http://nowhere"))
    finally:
        demo.TIMELINE_SECONDS = seconds
    assert "3 event project created on the timeline (there: 0)" in run.missing
    assert not any("proposal signed" in what for what in run.missing)
