"""A backlog is seen: by monitoring, by load balancers, by whoever waits, and by operators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask

from models.db.base import db
from tests.conftest import OwnStack
from tests.support.tenants import Api, Tenant, eventually
from webapp import create_app
from webapp.config import Settings
from webapp.services.jobs.enqueue import enqueue

TOKEN = "monitoring-knows-this"


def waits(tenant: Tenant, kind: str, seconds: float) -> None:
    """A job that has been due for so long."""
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    name = f"{kind} {seconds}"
    tenant.run(partial(enqueue, kind, name, {"signature_id": name}, run_at=since))


def dies(tenant: Tenant, kind: str) -> None:
    waits(tenant, kind, 1)
    tenant.rows(
        "UPDATE jobs SET state = 'dead', finished_at = now()"
        " WHERE organization_id = %(organization_id)s AND kind = %(kind)s RETURNING id",
        kind=kind,
    )


def ready(app: Flask) -> tuple[int, str]:
    answer = Api(app=app).get("/readyz")
    return answer.status, answer.json["checks"]["lanes"]


def test_a_late_lane_is_named_and_the_process_is_ready_all_the_same(
    own_stack: OwnStack, own_tenant: Tenant
) -> None:
    waits(own_tenant, "jobs.prune", 300)  # bulk has time
    assert ready(own_stack.app) == (200, "ok")
    waits(own_tenant, "sales.fulfil_signature", 25)
    assert ready(own_stack.app) == (200, "late: signature by 20 s")


def scrape(app: Flask, **headers: str) -> Any:
    return Api(app=app).get("/metrics", **headers)


def test_monitoring_sees_the_age_of_each_lane_and_the_jobs_of_each_kind(
    own_stack: OwnStack, own_tenant: Tenant
) -> None:
    waits(own_tenant, "sales.fulfil_signature", 25)
    waits(own_tenant, "jobs.prune", 1)
    dies(own_tenant, "sales.mail_signed")
    lines = scrape(own_stack.app).text.splitlines()
    [age] = [line for line in lines if line.startswith('sx_lane_oldest_seconds{lane="signature"}')]
    assert 25 <= float(age.split()[1]) < 60
    assert 'sx_lane_oldest_seconds{lane="document"} 0.0' in lines
    assert 'sx_lane_aim_seconds{lane="signature"} 5.0' in lines
    assert 'sx_jobs{kind="jobs.prune",lane="bulk",state="ready"} 1.0' in lines
    assert 'sx_jobs{kind="sales.mail_signed",lane="outside",state="dead"} 1.0' in lines
    assert str(own_tenant.id) not in "\n".join(lines)


@pytest.fixture
def guarded(own_stack: OwnStack) -> Iterator[Flask]:
    app = create_app(Settings.from_environment(own_stack.stack.env | {"METRICS_TOKEN": TOKEN}))
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def test_monitoring_is_asked_for_its_token(guarded: Flask) -> None:
    assert scrape(guarded).status == 403
    assert scrape(guarded, Authorization=f"Bearer {TOKEN}x").status == 403
    assert scrape(guarded, Authorization=f"Bearer {TOKEN}").status == 200


def test_without_a_token_only_this_machine_may_ask(own_stack: OwnStack) -> None:
    client = own_stack.app.test_client()
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.7"}).status_code == 403
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 200


def test_an_accepted_signature_is_told_when_to_ask_again(
    own_stack: OwnStack, own_tenant: Tenant, own_api: Api
) -> None:
    first = own_api.sign(own_api.send_proposal(), client=own_api)
    assert (first.status, first.headers["Retry-After"]) == (202, "1")
    waits(own_tenant, "sales.fulfil_signature", 30)
    own_stack.app.extensions["signatures_wait"].until = 0.0  # asked once in two seconds
    later = own_api.sign(own_api.send_proposal(), client=own_api)
    assert 30 <= int(later.headers["Retry-After"]) <= 60


def test_the_signing_page_says_when_it_takes_longer_than_usual(
    own_stack: OwnStack, own_tenant: Tenant, own_api: Api
) -> None:
    proposal = own_api.send_proposal()
    own_api.sign(proposal, client=own_api)
    client = own_stack.app.test_client()
    page = f"/sign/{proposal['token']}"
    assert "appear here in a moment" in client.get(page).text
    own_tenant.rows(
        "UPDATE signatures SET signed_at = now() - interval '10 seconds'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    own_tenant.rows(
        "UPDATE proposals SET signed_at = now() - interval '10 seconds'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    assert "takes longer than usual" in client.get(page).text


def test_dead_jobs_are_told_once_an_hour_for_each_kind(
    own_stack: OwnStack, own_tenant: Tenant
) -> None:
    dies(own_tenant, "sales.mail_signed")
    own_stack.stack.start("dispatcher")

    def told() -> list[tuple[str, str, int]]:
        said = [line for line in own_stack.stack.log("dispatcher").splitlines() if "_dead" in line]
        lines = [json.loads(line) for line in said]
        return [(line["level"], line["kind"], line["count"]) for line in lines]

    first = ("warning", "sales.mail_signed", 1)
    eventually(told, 20, until=[first])
    dies(own_tenant, "jobs.prune")
    eventually(told, 20, until=[first, ("warning", "jobs.prune", 1)])
