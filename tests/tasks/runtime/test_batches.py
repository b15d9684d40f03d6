"""Several jobs in one transaction, and what becomes of the others when one of them is bad."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.db.base import db
from tasks.runtime import batches, lanes
from tasks.runtime.jobs import TASKS, JobRow, batch_job, job
from tests.support.jobs import ask, change, held, row
from tests.support.kinds import a_kind
from tests.support.tenants import Tenant
from webapp.services.jobs.kinds import LANES

BULK = LANES["bulk"]
ran: list[str] = []


@batch_job(a_kind("test.batch", batch=10, lane="bulk"))
def batch(rows: list[JobRow]) -> None:
    names = [row.payload["name"] for row in rows]
    if "away" in names and len(names) > 1:
        raise OperationalError("SELECT 1", None, psycopg.OperationalError("no connection"))
    if "poison" in names:
        raise ValueError("it cannot be done")
    ran.append("+".join(names))


@job(a_kind("test.batch_of_one", batch=10, lane="bulk"))
def batch_of_one(payload: dict[str, Any]) -> None:
    db.session.execute(
        text(
            "UPDATE organizations"
            " SET settings = settings || jsonb_build_object(CAST(:name AS text), 1)"
        ),
        {"name": payload["name"]},
    )
    ran.append(payload["name"])
    if payload.get("fail"):
        raise ValueError("it cannot be done")


@pytest.fixture
def tenant(firms: list[Tenant]) -> Tenant:
    return firms[0]


@pytest.fixture(autouse=True)
def clean() -> None:
    ran.clear()


def take_all() -> list[str]:
    while lanes.run_next(BULK):
        pass
    return ran


def attempts(tenant: Tenant, job_id: Any) -> list[str | None]:
    rows = tenant.rows(
        "SELECT outcome FROM job_attempts WHERE job_id = %(id)s ORDER BY n", id=job_id
    )
    return [row["outcome"] for row in rows]


def test_a_batch_is_taken_together_and_counts_as_one_turn(firms: list[Tenant]) -> None:
    one, two, _ = firms
    for n in range(3):
        ask(one, "test.batch", f"one{n}")
        ask(two, "test.batch", f"two{n}")
    assert take_all() == ["one0+one1+one2", "two0+two1+two2"]
    assert one.count("jobs", "state = 'done' AND attempts = 1") == 3
    assert two.count("jobs", "state = 'done' AND attempts = 1") == 3


def test_no_more_are_taken_than_the_kind_says_the_oldest_first(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", f"n{n}") for n in range(12)]
    change(tenant, ids[11], "run_at = now() - interval '1 minute'")
    assert [len(names.split("+")) for names in take_all()] == [10, 2]
    assert "n11" in ran[0]


def test_jobs_whose_body_takes_one_are_done_in_one_transaction_too(tenant: Tenant) -> None:
    ask(tenant, "test.batch_of_one", "a")
    ask(tenant, "test.batch_of_one", "b")
    lanes.run_next(BULK)
    assert ran == ["a", "b"]
    assert tenant.count("jobs", "state = 'done'") == 2


def test_a_bad_job_in_a_batch_does_not_hold_the_others(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", name) for name in ("a", "poison", "b")]
    lanes.run_next(BULK)
    assert ran == ["a", "b"]
    rows = [row(tenant, job_id) for job_id in ids]
    assert [found["state"] for found in rows] == ["done", "ready", "done"]
    assert [found["attempts"] for found in rows] == [1, 1, 1], "a try was counted twice"
    assert "ValueError" in rows[1]["last_error"]
    assert [attempts(tenant, job_id) for job_id in ids] == [["done"], ["failed"], ["done"]]


def test_what_a_failed_batch_did_is_taken_back_before_each_is_done_again(tenant: Tenant) -> None:
    for name, fails in (("a", False), ("poison", True)):
        ask(tenant, "test.batch_of_one", name, fail=fails)
    lanes.run_next(BULK)
    assert ran == ["a", "poison", "a", "poison"]
    [settings] = tenant.rows("SELECT settings FROM organizations WHERE id = %(organization_id)s")
    assert settings["settings"] == {"a": 1}


def test_an_outage_is_excused_for_each_job_of_a_batch(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", name) for name in ("a", "away")]
    lanes.run_next(BULK)
    assert ran == []
    for job_id in ids:
        found = row(tenant, job_id)
        assert (found["state"], found["attempts"], found["excused"]) == ("ready", 1, 1)
        assert attempts(tenant, job_id) == ["excused"]


def test_jobs_whose_process_died_twice_are_claimed_one_by_one(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", name) for name in ("a", "b")]
    for tries in (1, 2):
        assert [claimed.attempt for claimed in lanes._claim_next(BULK)] == [tries, tries]
        assert not lanes._claim_next(BULK), "another consumer would do them a second time"
        for job_id in ids:  # the process has died
            change(tenant, job_id, "run_at = run_at - interval '1500 milliseconds'")
    assert [claimed.job_id for claimed in lanes._claim_next(BULK)] == ids[:1]
    lanes.run_next(BULK)
    assert ran == ["b"]


def test_a_batch_takes_the_jobs_that_nobody_holds(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", name) for name in ("a", "b", "c")]
    with held(tenant, ids[1]):
        lanes.run_next(BULK)
    assert ran == ["a+c"]
    assert take_all() == ["a+c", "b"]


def test_a_batch_that_another_has_taken_over_does_nothing(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", name) for name in ("a", "b")]
    late = lanes._claim_next(BULK)
    change(tenant, ids[0], "attempts = 2")  # another's try, while this process slept
    batches.run_together(TASKS["test.batch"], late)
    assert ran == ["b"]
    assert row(tenant, ids[0])["state"] == "ready"


def test_a_claimed_batch_leaves_out_what_somebody_holds_by_then(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.batch", name) for name in ("a", "b")]
    claimed = lanes._claim_next(BULK)
    with held(tenant, ids[0]):
        batches.run_together(TASKS["test.batch"], claimed)
    assert ran == ["b"]


def test_jobs_that_wait_for_each_other_are_not_taken_together(tenant: Tenant) -> None:
    for name in ("a", "b"):
        ask(tenant, "test.batch", name, ordering_key="k")
    ask(tenant, "test.batch", "c")
    assert take_all() == ["a", "b", "c"]


def test_a_kind_with_an_effect_outside_is_never_done_in_batches() -> None:
    with pytest.raises(ValueError, match="one at a time"):
        job(a_kind("test.batch_send", batch=2), effect=ran.append)(lambda payload: payload)
