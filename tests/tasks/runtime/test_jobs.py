"""The job protocol: done once, failures recorded, nothing lost (jobs.md, *The one mechanism*)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models.db.base import db
from models.db.tenancy import as_system
from models.jobs import MAX_ATTEMPTS
from tasks.runtime import jobs as base
from tests.support.kinds import a_kind
from tests.support.tenants import Tenant
from webapp.core.transaction import in_transaction
from webapp.services.common.exceptions import Conflict
from webapp.services.jobs.enqueue import enqueue
from webapp.services.jobs.kinds import kind_named

SECRET = "canary-7f3a-secret"
effects: list[Any] = []
sent: list[Any] = []


class Failure(Exception):
    """What a body may raise."""


@base.job(a_kind("test.write_note"))
def write_note(payload: dict[str, Any]) -> None:
    db.session.execute(
        text("UPDATE organizations SET settings = settings || :note"), {"note": '{"note": 1}'}
    )
    effects.append(payload.get("name"))
    if payload.get("fail"):
        raise Failure(SECRET)


@base.job(a_kind("test.send"), effect=sent.append)
def send(payload: dict[str, Any]) -> Any:
    return payload["name"]


@pytest.fixture(autouse=True)
def clean(app: Flask) -> Iterator[None]:
    effects.clear()
    sent.clear()
    with app.app_context():
        yield


def make(tenant: Tenant, kind: str, **payload: Any) -> UUID:
    ordering_key = payload.pop("ordering_key", None)
    name = payload.get("name", "one")
    return tenant.run(
        lambda: enqueue(kind, name, {"name": name, **payload}, ordering_key=ordering_key)
    )


def job_row(tenant: Tenant, job_id: UUID) -> dict[str, Any]:
    [row] = tenant.rows("SELECT * FROM jobs WHERE id = %(id)s", id=job_id)
    return row


def let_the_claim_grow_old(tenant: Tenant) -> None:
    """As if the last attempt had been claimed a while ago, by a process that died since."""
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE job_attempts SET started_at = started_at - interval '1 second'")
        )
    )


def make_due(tenant: Tenant, job_id: UUID) -> None:
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE jobs SET run_at = now() WHERE id = :id"), {"id": job_id}
        )
    )


def test_a_job_is_done_once_however_many_messages_arrive(tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note")
    for _ in range(3):
        base.run_job("test.write_note", tenant.id, job_id)
    assert effects == ["one"]
    row = job_row(tenant, job_id)
    assert (row["state"], row["attempts"]) == ("done", 1)
    [attempt] = tenant.rows("SELECT * FROM job_attempts WHERE job_id = %(id)s", id=job_id)
    assert attempt["outcome"] == "done"


def test_messages_at_the_same_time_lead_to_one_effect(app: Flask, tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note")

    def run() -> None:
        with app.app_context():
            base.run_job("test.write_note", tenant.id, job_id)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(run) for _ in range(16)]:
            future.result()
    row = job_row(tenant, job_id)
    assert (row["state"], row["attempts"]) == ("done", 1)
    assert effects == ["one"]


def test_a_failure_leaves_no_effect_but_is_recorded_without_its_secret(tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note", fail=True)
    base.run_job("test.write_note", tenant.id, job_id)
    row = job_row(tenant, job_id)
    assert (row["state"], row["attempts"]) == ("ready", 1)
    assert row["run_at"] > row["created_at"]
    assert "Failure" in row["last_error"]
    assert SECRET not in row["last_error"]
    [organization] = tenant.rows(
        "SELECT settings FROM organizations WHERE id = %(organization_id)s"
    )
    assert organization["settings"] == {}


def test_a_job_that_keeps_failing_ends_dead_and_is_not_tried_again(tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note", fail=True)
    for _ in range(MAX_ATTEMPTS + 2):
        make_due(tenant, job_id)
        base.run_job("test.write_note", tenant.id, job_id)
    row = job_row(tenant, job_id)
    assert (row["state"], row["attempts"]) == ("dead", MAX_ATTEMPTS)
    assert len(effects) == MAX_ATTEMPTS


def test_attempts_whose_process_died_are_counted_until_the_job_is_dead(tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note")
    for _ in range(MAX_ATTEMPTS):  # each claim is committed; the process dies before the effect
        assert base._claim(tenant.id, job_id, None) is not None
        let_the_claim_grow_old(tenant)
    base.run_job("test.write_note", tenant.id, job_id)
    row = job_row(tenant, job_id)
    assert row["state"] == "dead"
    assert effects == []


def test_an_overtaken_attempt_cannot_commit(tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note")
    slow = base._claim(tenant.id, job_id, None)
    let_the_claim_grow_old(tenant)
    base.run_job("test.write_note", tenant.id, job_id)
    zombie = base._Attempt(
        base.TASKS["test.write_note"], tenant.id, job_id, slow.attempt, slow.fence
    )
    assert zombie.run(slow.payload) is False
    assert effects == ["one"]


def test_a_job_deferred_by_a_rolled_back_transaction_does_not_exist(tenant: Tenant) -> None:
    def work() -> None:
        enqueue("test.write_note", "never", {"name": "never"})
        raise Conflict()

    with pytest.raises(Conflict):
        in_transaction(as_system(tenant.id), work)
    assert tenant.count("jobs") == 0


def test_a_kind_that_is_not_in_the_table_is_refused_where_it_is_asked_for(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match=r"no such kind of job: test\.misspelt"):
        tenant.run(lambda: enqueue("test.misspelt", "one", {}))
    assert tenant.count("jobs") == 0


def test_a_second_job_of_the_same_kind_and_key_is_refused_with_its_whole_transaction(
    tenant: Tenant,
) -> None:
    tenant.run(lambda: enqueue("test.write_note", "same", {"name": "same"}))

    def work() -> None:
        enqueue("test.write_note", "other", {"name": "other"})
        enqueue("test.write_note", "same", {"name": "same"})

    with pytest.raises(IntegrityError, match="uq_jobs_organization_id_kind_dedupe_key"):
        tenant.run(work)
    assert tenant.count("jobs") == 1


def test_an_effect_outside_runs_under_a_lease_and_ends_the_job(tenant: Tenant) -> None:
    job_id = make(tenant, "test.send", name="letter")
    base.run_job("test.send", tenant.id, job_id)
    assert sent == ["letter"]
    row = job_row(tenant, job_id)
    assert (row["state"], row["fence"], row["lease_until"]) == ("done", 1, None)


def test_a_holder_that_outlived_its_lease_cannot_end_the_job(tenant: Tenant) -> None:
    job_id = make(tenant, "test.send", name="letter")
    zombie = base._claim(tenant.id, job_id, 60)
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE jobs SET state = 'ready', lease_until = NULL WHERE id = :id"),
            {"id": job_id},
        )
    )
    let_the_claim_grow_old(tenant)
    second = base._claim(tenant.id, job_id, 60)
    assert second.fence == zombie.fence + 1
    late = base._Attempt(base.TASKS["test.send"], tenant.id, job_id, zombie.attempt, zombie.fence)
    assert late.run(zombie.payload) is False
    assert job_row(tenant, job_id)["state"] == "running"


def test_a_job_waits_for_the_earlier_ones_with_its_ordering_key(tenant: Tenant) -> None:
    first = make(tenant, "test.write_note", name="first", ordering_key="k")
    second = make(tenant, "test.write_note", name="second", ordering_key="k")
    base.run_job("test.write_note", tenant.id, second)
    assert effects == []
    base.run_job("test.write_note", tenant.id, first)
    base.run_job("test.write_note", tenant.id, second)
    assert effects == ["first", "second"]


def test_a_job_of_another_organization_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    job_id = make(tenant, "test.write_note")
    base.run_job("test.write_note", other_tenant.id, job_id)
    assert effects == []
    assert job_row(tenant, job_id)["attempts"] == 0


def test_a_long_effect_keeps_its_lease(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "LEASE_SECONDS", 1)
    monkeypatch.setattr(base, "RENEW_SECONDS", 0.2)
    leases = []

    def slow(_: Any) -> None:
        for _ in range(3):
            time.sleep(0.5)
            leases.extend(tenant.rows("SELECT lease_until > now() AS held FROM jobs"
                                      " WHERE organization_id = %(organization_id)s"))  # fmt: skip

    monkeypatch.setitem(base.TASKS, "test.send", base.JobTask(kind_named("test.send"), send, slow))
    job_id = make(tenant, "test.send", name="letter")
    base.run_job("test.send", tenant.id, job_id)
    assert [row["held"] for row in leases] == [True] * 3
    assert job_row(tenant, job_id)["state"] == "done"


def test_a_holder_from_before_a_retry_leaves_the_new_attempt_alone(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = make(tenant, "test.send", name="letter")
    monkeypatch.setattr(base, "worker_name", lambda: "old:1")
    late = base._claim(tenant.id, job_id, 60)
    tenant.run(  # as `sx jobs retry` leaves it: counted from one again
        lambda: db.session.execute(
            text(
                "UPDATE jobs SET state = 'ready', lease_until = NULL, attempts = 0 WHERE id = :id"
            ),
            {"id": job_id},
        )
    )
    let_the_claim_grow_old(tenant)
    monkeypatch.setattr(base, "worker_name", lambda: "new:2")
    base._claim(tenant.id, job_id, 60)
    monkeypatch.setattr(base, "worker_name", lambda: "old:1")
    run = base._Attempt(base.TASKS["test.send"], tenant.id, job_id, late.attempt, late.fence)
    assert run.run(late.payload) is False
    attempts = tenant.rows(
        "SELECT worker, outcome FROM job_attempts WHERE job_id = %(id)s ORDER BY worker", id=job_id
    )
    assert [(row["worker"], row["outcome"]) for row in attempts] == [
        ("new:2", None),
        ("old:1", "refused"),
    ]
