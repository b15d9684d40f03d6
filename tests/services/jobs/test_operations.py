"""Looking after the queue: pruning, listing, retrying, cancelling."""

from __future__ import annotations

import datetime as dt
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from models.db.base import db, uuid7
from models.identity import Credential, LoginSession, Membership
from models.jobs import MAX_ATTEMPTS, IdempotencyKey, Job, JobAttempt
from tasks.runtime.jobs import worker_name
from tests.support.tenants import Tenant
from webapp.services.common.exceptions import Conflict, NotFound
from webapp.services.identity.accounts import create_user
from webapp.services.jobs import operations as jobs

TERMINAL = ("done", "dead", "cancelled")


def make(tenant: Tenant, state: str = "ready", kind: str = "jobs.prune", days: float = 0) -> UUID:
    """A job in this state since `days` days; a dead one has used up its attempts.

    Its one attempt was this very process's and never came to its end.
    """
    job_id = uuid7()

    def work() -> None:
        now = dt.datetime.now(dt.UTC)
        record = Job(
            id=job_id,
            kind=kind,
            dedupe_key=str(job_id),
            payload={},
            state=state,
            attempts=MAX_ATTEMPTS if state == "dead" else 1,
            last_error="KeyError" if state == "dead" else None,
            finished_at=now - dt.timedelta(days=days) if state in TERMINAL else None,
            lease_until=now + dt.timedelta(minutes=1) if state == "running" else None,
        )
        db.session.add(record)
        db.session.flush()  # the attempt refers to it
        db.session.add(JobAttempt(job_id=job_id, n=1, worker=worker_name()))

    tenant.run(work)
    return job_id


def job(tenant: Tenant, job_id: UUID) -> dict[str, Any]:
    return tenant.run(lambda: jobs.show_job(job_id))


def test_jobs_done_a_week_ago_go_with_their_attempts(tenant: Tenant) -> None:
    old = make(tenant, "done", days=8)
    kept = [
        make(tenant, "done", days=6),
        make(tenant, "dead", days=400),
        make(tenant, "cancelled", days=400),
        make(tenant, "ready"),
    ]
    assert tenant.run(jobs.prune) == {"jobs": 1}
    assert tenant.count("jobs", "id = %(id)s", id=old) == 0
    assert tenant.count("job_attempts") == tenant.count("jobs") == len(kept)


def test_answers_logins_and_links_go_once_they_are_over(tenant: Tenant) -> None:
    now = dt.datetime.now(dt.UTC)

    def work() -> None:
        user = create_user(f"{uuid7()}@example.com", "Kim", "correct horse", role="viewer")
        membership_id = db.session.scalars(
            select(Membership.id).where(Membership.user_id == user.id)
        ).one()
        for hours in (-1, 1):
            session = LoginSession(
                id=uuid7(),
                membership_id=membership_id,
                expires_at=now + dt.timedelta(hours=hours),
            )
            db.session.add(session)
            db.session.add(
                Credential(
                    id=session.id,
                    organization_id=tenant.id,
                    kind="session",
                    digest=secrets.token_bytes(32),
                    label="Kim",
                    expires_at=session.expires_at,
                )
            )
        for hours in (23, 25):
            db.session.add(
                IdempotencyKey(
                    actor="a",
                    key=str(hours),
                    route="r",
                    request_hash=b"",
                    status=200,
                    body={},
                    created_at=now - dt.timedelta(hours=hours),
                )
            )

    tenant.run(work)
    assert tenant.run(jobs.prune) == {
        "idempotency_keys": 1,
        "login_sessions": 1,
        "credentials": 1,
    }
    assert tenant.count("credentials", "kind = 'api_key'") == 1
    assert tenant.count("credentials", "kind = 'session'") == 1
    assert tenant.count("idempotency_keys") == tenant.count("login_sessions") == 1


def test_pruning_is_bounded_and_goes_on_by_itself(tenant: Tenant) -> None:
    for _ in range(5):
        make(tenant, "done", days=8)
    assert tenant.run(lambda: jobs.prune(2)) == {"jobs": 2}
    assert tenant.count("jobs", "kind = 'jobs.prune' AND state = 'ready'") == 1
    tenant.run_jobs("jobs.prune")
    assert tenant.count("jobs", "finished_at < now() - interval '7 days'") == 0


def test_another_organizations_jobs_are_neither_seen_nor_touched(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    dead, waiting = make(tenant, "dead", days=8), make(tenant)
    make(tenant, "done", days=8)
    assert other_tenant.run(jobs.prune) == {}
    assert other_tenant.run(jobs.list_jobs) == []
    assert other_tenant.run(jobs.retry_jobs) == 0
    for act in (jobs.show_job, jobs.retry_job):
        with pytest.raises(NotFound):
            other_tenant.run(lambda act=act: act(dead))
    with pytest.raises(NotFound):
        other_tenant.run(lambda: jobs.cancel_job(waiting))
    assert tenant.count("jobs", "state IN ('done', 'dead', 'ready')") == 3


def test_a_dead_job_is_put_back_with_its_id_and_the_log_says_who_did_it(tenant: Tenant) -> None:
    dead = make(tenant, "dead")
    row = tenant.run(lambda: jobs.retry_job(dead))
    assert (row["id"], row["state"], row["attempts"], row["finished_at"]) == (
        dead,
        "ready",
        0,
        None,
    )
    assert row["last_error"] == "KeyError"
    tenant.run_jobs("activity.record")
    [event] = tenant.rows(
        "SELECT * FROM activity_events WHERE organization_id = %(organization_id)s"
    )
    assert (event["action"], event["entity_id"]) == ("system:job:retried", dead)
    assert (event["from_state"], event["to_state"]) == ("dead", "ready")
    tenant.run_jobs("jobs.prune")
    done = job(tenant, dead)
    assert (done["state"], done["attempts"]) == ("done", 1)


def test_a_try_that_never_ended_is_not_taken_for_the_new_first_one_of_the_same_process(
    tenant: Tenant,
) -> None:
    dead = make(tenant, "dead")
    tenant.run(lambda: jobs.retry_job(dead))
    tenant.run_jobs("jobs.prune")
    attempts = job(tenant, dead)["attempts_log"]
    assert sorted(str(attempt["outcome"]) for attempt in attempts) == ["None", "done"]


@pytest.mark.parametrize("state", ["ready", "running", "done"])
def test_retrying_a_job_that_has_not_stopped_changes_nothing(tenant: Tenant, state: str) -> None:
    job_id = make(tenant, state)
    before = job(tenant, job_id)
    assert tenant.run(lambda: jobs.retry_job(job_id)) == before
    assert tenant.count("jobs", "kind = 'activity.record'") == 0


def test_pressing_retry_many_times_at_once_puts_it_back_once(tenant: Tenant) -> None:
    dead = make(tenant, "dead")
    with ThreadPoolExecutor(8) as people:
        rows = list(people.map(lambda _: tenant.run(lambda: jobs.retry_job(dead)), range(8)))
    assert {row["id"] for row in rows} == {dead}
    assert job(tenant, dead)["state"] == "ready"
    assert tenant.count("jobs", "kind = 'activity.record'") == 1


def test_all_dead_jobs_of_a_kind_are_put_back_in_bounded_batches(tenant: Tenant) -> None:
    for _ in range(3):
        make(tenant, "dead")
    other = make(tenant, "dead", kind="deletion.purge")
    make(tenant, "cancelled")
    retried = [tenant.run(lambda: jobs.retry_jobs(kind="jobs.prune", limit=2)) for _ in range(3)]
    assert retried == [2, 1, 0]
    assert job(tenant, other)["state"] == "dead"
    assert tenant.count("jobs", "state = 'cancelled'") == 1
    assert tenant.run(lambda: jobs.retry_jobs(state="cancelled")) == 1


def test_a_waiting_job_is_cancelled_once_and_does_not_run(tenant: Tenant) -> None:
    waiting = make(tenant)
    for _ in range(2):
        assert tenant.run(lambda: jobs.cancel_job(waiting))["state"] == "cancelled"
    tenant.run_jobs()
    assert job(tenant, waiting)["state"] == "cancelled"
    assert tenant.count("activity_events", "type = 'cancelled'") == 1
    assert tenant.run(lambda: jobs.retry_job(waiting))["state"] == "ready"


@pytest.mark.parametrize("state", ["running", "done", "dead"])
def test_a_job_that_does_not_wait_is_not_cancelled(tenant: Tenant, state: str) -> None:
    job_id = make(tenant, state)
    with pytest.raises(Conflict):
        tenant.run(lambda: jobs.cancel_job(job_id))
    assert job(tenant, job_id)["state"] == state


def test_a_job_in_a_workers_hands_is_not_cancelled(tenant: Tenant) -> None:
    waiting = make(tenant)

    def held() -> None:
        db.session.execute(text("SELECT id FROM jobs FOR UPDATE"))
        with ThreadPoolExecutor(1) as other:
            other.submit(tenant.run, lambda: jobs.cancel_job(waiting)).result(10)

    with pytest.raises(Conflict, match="worked on"):
        tenant.run(held)


def test_jobs_are_listed_newest_first_by_state_and_kind(tenant: Tenant) -> None:
    ids = [make(tenant, "dead"), make(tenant), make(tenant, kind="deletion.purge")]
    listed = tenant.run(jobs.list_jobs)
    assert [row["id"] for row in listed] == ids[::-1]
    dead = tenant.run(lambda: jobs.list_jobs(state="dead", kind="jobs.prune", limit=5))
    assert [row["id"] for row in dead] == ids[:1]
    assert len(tenant.run(lambda: jobs.list_jobs(limit=2))) == 2


def test_a_job_that_is_not_there_is_not_found(tenant: Tenant) -> None:
    for act in (jobs.show_job, jobs.retry_job, jobs.cancel_job):
        with pytest.raises(NotFound):
            tenant.run(lambda act=act: act(uuid4()))
