"""How engagements fare: what counts against them, since when, and that lists can ask for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

import pytest

from tests.support.billing import ready_to_bill
from tests.support.tenants import Api, Tenant
from webapp.services.engagements import health as health_service
from webapp.services.engagements.health import look_at_all, refresh, sweep
from webapp.services.jobs.enqueue import enqueue

DAY = "interval '1 day'"


@pytest.fixture
def engagement(api: Api) -> dict[str, Any]:
    made: dict[str, Any] = api.made("/api/engagements", {"name": "Website"})
    return made


@pytest.fixture
def project(api: Api, engagement: dict[str, Any]) -> dict[str, Any]:
    body = {"name": "Build", "engagement_id": engagement["id"]}
    made: dict[str, Any] = api.made("/api/projects", body)
    return made


def health(api: Api, engagement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/engagements/{engagement['id']}/health").json
    return found


def judge(tenant: Tenant) -> None:
    """Judge all engagements, as after a change of the settings."""

    def all_of_them() -> None:
        look_at_all()
        sweep()

    tenant.run(all_of_them)


def kinds(found: dict[str, Any]) -> list[str]:
    return [reason["kind"] for reason in found["reasons"]]


def an_overdue_task(tenant: Tenant, project: dict[str, Any], days: int) -> str:
    [row] = tenant.rows(
        "INSERT INTO tasks (organization_id, id, project_id, name, due_date)"
        " VALUES (%(organization_id)s, gen_random_uuid(), %(project)s, 'Draw the logo',"
        " current_date - %(days)s) RETURNING id",
        project=project["id"],
        days=days,
    )
    return str(row["id"])


def test_an_engagement_is_well_until_something_counts_against_it(
    api: Api, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    judge(tenant)
    found = health(api, engagement)
    assert (found["status"], found["reasons"], found["history"]) == ("ok", [], [])
    assert found["since"]


def test_an_overdue_task_needs_attention_and_in_time_puts_it_at_risk(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    task = an_overdue_task(tenant, project, 13)
    judge(tenant)
    found = health(api, engagement)
    assert found["status"] == "attention"
    assert [(r["kind"], r["id"]) for r in found["reasons"]] == [("task_overdue", task)]
    assert "Draw the logo was due on" in found["reasons"][0]["detail"]
    tenant.rows(
        "UPDATE tasks SET due_date = due_date - 1"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    judge(tenant)
    worse = health(api, engagement)
    assert worse["status"] == "at_risk"
    assert worse["since"] > found["since"]
    assert [(change["from"], change["to"]) for change in worse["history"]] == [
        ("attention", "at_risk"),
        ("ok", "attention"),
    ]


def test_reasons_of_three_kinds_put_it_at_risk(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    an_overdue_task(tenant, project, 1)
    tenant.rows(
        "INSERT INTO milestones (organization_id, id, project_id, name, due_date)"
        " VALUES (%(organization_id)s, gen_random_uuid(), %(project)s, 'Launch', current_date - 1)"
        " RETURNING id",
        project=project["id"],
    )
    judge(tenant)
    assert health(api, engagement)["status"] == "attention"
    tenant.rows(
        f"UPDATE projects SET created_at = created_at - 15 * {DAY}"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    tenant.rows(
        "DELETE FROM phase_changes WHERE organization_id = %(organization_id)s RETURNING id"
    )
    judge(tenant)
    found = health(api, engagement)
    assert found["status"] == "at_risk"
    assert set(kinds(found)) == {"task_overdue", "milestone_overdue", "project_idle"}


def test_an_overdue_invoice_counts_also_while_the_engagement_is_paused(
    api: Api, tenant: Tenant
) -> None:
    billing = ready_to_bill(api, tenant)
    invoice = billing.final(issued_on="2026-01-01", due_date="2026-01-31")
    api.put(f"/api/engagements/{billing.engagement['id']}", {"status": "Paused"})
    judge(tenant)
    found = health(api, billing.engagement)
    assert found["status"] == "at_risk"
    assert [(r["kind"], r["id"]) for r in found["reasons"]] == [("invoice_overdue", invoice["id"])]
    billing.pay(invoice, "119.00")
    tenant.run_jobs("activity.record", "engagements.refresh_health")
    assert health(api, billing.engagement)["status"] == "ok"


def test_a_client_s_message_counts_until_it_is_answered(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    api.put("/api/organization", {"thresholds": {"unanswered_hours": 1}})
    always = {day: [["00:00", "00:00"]] for day in ("monday", "tuesday", "wednesday", "thursday",
                                                   "friday", "saturday", "sunday")}  # fmt: skip
    api.put("/api/organization", {"working_hours": always})
    path = f"/api/projects/{project['id']}/conversations"
    talk = api.made(path, {"subject": "Colours"})
    api.made(f"{path}/{talk['id']}/messages", {"content": "Which blue?"})
    tenant.rows(
        "UPDATE messages SET sender_kind = 'portal_link', created_at = now() - interval '2 hours'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    judge(tenant)
    assert kinds(health(api, engagement)) == ["message_unanswered"]
    api.made(f"{path}/{talk['id']}/messages", {"content": "For us only", "is_internal": True})
    judge(tenant)
    assert kinds(health(api, engagement)) == ["message_unanswered"]
    api.made(f"{path}/{talk['id']}/messages", {"content": "This one."})
    judge(tenant)
    assert health(api, engagement)["status"] == "ok"


def test_a_message_is_not_late_before_the_working_hours_have_passed(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    never = {day: [] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
    api.put("/api/organization", {"working_hours": never})
    path = f"/api/projects/{project['id']}/conversations"
    talk = api.made(path, {"subject": "Colours"})
    api.made(f"{path}/{talk['id']}/messages", {"content": "Which blue?"})
    tenant.rows(
        "UPDATE messages SET sender_kind = 'portal_link', created_at = now() - interval '9 days'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    judge(tenant)
    assert health(api, engagement)["status"] == "ok"


def test_two_that_judge_at_once_end_with_the_later_facts(
    api: Api,
    tenant: Tenant,
    engagement: dict[str, Any],
    project: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first has read its facts and is slow; the second must not be done before it."""
    read, go_on, keep = threading.Event(), threading.Event(), health_service._keep

    def slowly(judged: Any) -> None:
        if not read.is_set():
            read.set()
            go_on.wait(10)
        keep(judged)

    monkeypatch.setattr(health_service, "_keep", slowly)
    ids = [UUID(engagement["id"])]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(tenant.run, lambda: refresh(ids))
        assert read.wait(10)
        an_overdue_task(tenant, project, 1)
        second = pool.submit(tenant.run, lambda: refresh(ids))
        wait([second], timeout=0.5)
        go_on.set()
        first.result(10)
        second.result(10)
    assert health(api, engagement)["status"] == "attention"


def test_a_contract_that_ends_soon_counts(
    api: Api, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    tenant.rows(
        "WITH c AS (INSERT INTO contracts (organization_id, id, number, name, status, signed_at,"
        " end_date) VALUES (%(organization_id)s, gen_random_uuid(), 'C-1', 'Care', 'signed', now(),"
        " current_date + 30) RETURNING id)"
        " INSERT INTO engagement_contracts (organization_id, id, engagement_id, contract_id)"
        " SELECT %(organization_id)s, gen_random_uuid(), %(engagement)s, c.id FROM c RETURNING id",
        engagement=engagement["id"],
    )
    judge(tenant)
    assert kinds(health(api, engagement)) == ["contract_ending"]
    api.put("/api/organization", {"thresholds": {"contract_ending_days": 29}})
    judge(tenant)
    assert kinds(health(api, engagement)) == []


def test_work_does_not_count_while_the_engagement_is_paused_and_nothing_once_it_is_closed(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    an_overdue_task(tenant, project, 20)
    judge(tenant)
    assert health(api, engagement)["status"] == "at_risk"
    path = f"/api/engagements/{engagement['id']}"
    for status in ("Paused", "Active", "Closed"):
        api.put(path, {"status": status})
        tenant.run_jobs("activity.record", "engagements.refresh_health")
        assert health(api, engagement)["status"] == ("at_risk" if status == "Active" else "ok")


def test_what_happens_to_an_engagement_has_it_judged_anew(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    tenant.run_jobs()
    an_overdue_task(tenant, project, 1)
    api.put(f"/api/projects/{project['id']}", {"description": "anything"})
    tenant.run_jobs("activity.record", "engagements.refresh_health")
    assert health(api, engagement)["status"] == "attention"


def test_the_list_is_filtered_and_sorted_by_health(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    well = api.made("/api/engagements", {"name": "Other"})
    an_overdue_task(tenant, project, 1)
    judge(tenant)
    bad = api.get("/api/engagements?health=attention,at_risk").json["data"]
    assert [(row["id"], row["health"]) for row in bad] == [(engagement["id"], "attention")]
    ordered = api.get("/api/engagements?sort=health").json["data"]
    assert [row["id"] for row in ordered] == [engagement["id"], well["id"]]


def test_judging_does_not_count_as_a_change_of_the_engagement(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    """Who has it open can save it, though its health became another meanwhile."""
    path = f"/api/engagements/{engagement['id']}"
    seen = api.get(path).headers["ETag"]
    an_overdue_task(tenant, project, 1)
    judge(tenant)
    assert api.put(path, {"name": "Website 2"}, If_Match=seen).status == 200


def due(tenant: Tenant) -> int:
    return tenant.count("engagement_health", "check_at <= now()")


def test_the_sweep_goes_on_until_every_engagement_that_is_due_is_judged(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        api.made("/api/engagements", {"name": "x"})
    tenant.run_jobs()
    monkeypatch.setattr("webapp.services.engagements.health.SWEEP_SIZE", 2)
    tenant.run(look_at_all)
    assert due(tenant) == 3
    tenant.run(lambda: enqueue("engagements.sweep_health", "test", {}))
    tenant.run_jobs("engagements.sweep_health")
    assert due(tenant) == 0


def test_an_engagement_is_looked_at_again_when_time_alone_may_change_its_health(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    """The day after something is due, and the moment a project has stood still for too long."""
    judge(tenant)
    in_days = (
        "(check_at::date - current_date) AS days FROM engagement_health"
        " WHERE organization_id = %(organization_id)s"
    )
    [row] = tenant.rows(f"SELECT {in_days}")
    assert row["days"] == 14, "the project stands still"
    an_overdue_task(tenant, project, -3)
    judge(tenant)
    [row] = tenant.rows(f"SELECT {in_days}")
    assert row["days"] == 4, "the day after the task is due"
    tenant.rows(
        "UPDATE tasks SET due_date = current_date - 1"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    judge(tenant)
    [row] = tenant.rows(f"SELECT {in_days}")
    assert row["days"] == 13, "it has been overdue for two weeks then"


def test_an_engagement_that_time_cannot_change_is_not_looked_at_again(
    api: Api, tenant: Tenant, engagement: dict[str, Any]
) -> None:
    tenant.run_jobs()
    assert tenant.count("engagement_health") == 0


def test_a_change_of_the_thresholds_has_all_judged_anew(
    api: Api, tenant: Tenant, engagement: dict[str, Any], project: dict[str, Any]
) -> None:
    an_overdue_task(tenant, project, 5)
    judge(tenant)
    assert health(api, engagement)["status"] == "attention"
    api.put("/api/organization", {"thresholds": {"at_risk_days": 5}})
    tenant.run_jobs()
    assert health(api, engagement)["status"] == "at_risk"


def test_nobody_sees_another_organizations_health(
    api: Api, other_tenant: Tenant, engagement: dict[str, Any]
) -> None:
    stranger = Api(app=api.app, api_key=other_tenant.api_key)
    assert stranger.get(f"/api/engagements/{engagement['id']}/health").status == 404
