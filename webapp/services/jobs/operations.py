"""Looking at jobs, putting them back, cancelling them, and forgetting those that are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, update

from models.db.base import db, uuid7
from models.db.queries import Row
from models.db.tenancy import current_context, current_organization_id, current_principal
from models.db.transactions import ANSWER_LIFETIME
from models.identity import Credential, LoginSession
from models.jobs import IdempotencyKey, Job, JobAttempt
from webapp.services.common.batches import delete_batch
from webapp.services.common.exceptions import Conflict
from webapp.services.common.reads import PageRequest, RecordQuery, aggregate, equals
from webapp.services.identity.password_resets import prune_password_resets
from webapp.services.identity.sessions import prune_login_failures
from webapp.services.jobs.enqueue import enqueue

BATCH = 1000
# How long a job that is done is remembered.
DONE_LIFETIME = "interval '7 days'"
STOPPED = ("dead", "cancelled")
# What nobody needs any more. Dead and cancelled jobs stay until somebody has dealt with them,
# and a replaced signing link must still be known to say that it was replaced.
STALE: tuple[tuple[Any, ColumnElement[bool]], ...] = (
    (Job, (Job.state == "done") & (Job.finished_at < text(f"now() - {DONE_LIFETIME}"))),
    (IdempotencyKey, IdempotencyKey.created_at < text(f"now() - {ANSWER_LIFETIME}")),
    (LoginSession, LoginSession.expires_at < func.now()),
    (
        Credential,
        Credential.kind.in_(("session", "portal_link")) & (Credential.expires_at < func.now()),
    ),
)


def prune(limit: int = BATCH) -> dict[str, int]:
    """Delete up to `limit` rows that nobody needs any more; returns how many of each table.

    Those are jobs done a week ago (their attempts go along), answers kept for retries of a day
    ago, logins and portal links that have expired, and whatever organization's failed logins of
    an hour ago and password links of a day ago. When the bound was reached it asks for the next
    run itself.
    """
    counts: dict[str, int] = {}
    left = limit
    steps: dict[str, Callable[[int], int]] = {
        model.__tablename__: partial(delete_batch, model, old) for model, old in STALE
    }
    global_steps = {
        "login_failures": prune_login_failures,
        "password_resets": prune_password_resets,
    }
    for table, delete in {**steps, **global_steps}.items():
        count = delete(left)
        if count:
            counts[table] = count
            left -= count
        if left == 0:
            enqueue("jobs.prune", f"more:{uuid7()}", {})
            break
    return counts


def list_jobs(
    *, state: str | None = None, kind: str | None = None, limit: int = 50
) -> Sequence[Row]:
    """The newest jobs, of one state or kind if given."""
    given = {"state": state, "kind": kind}
    filters = {name: value for name, value in given.items() if value is not None}
    return JOBS.page(PageRequest(filters=filters, limit=limit)).rows


def show_job(job_id: UUID) -> Row:
    """A job with its attempts. Raises NotFound."""
    return JOBS.get(job_id)


def retry_job(job_id: UUID) -> Row:
    """Put a dead or cancelled job back, to be tried from the beginning; same id, told in the log.

    A job in any other state stays as it is, so pressing twice is safe. Returns the job as it is
    now. Raises NotFound.
    """
    _put_back(_locked().where(Job.id == job_id, Job.state.in_(STOPPED)))
    return JOBS.get(job_id)


def retry_jobs(*, state: str = "dead", kind: str | None = None, limit: int = BATCH) -> int:
    """Put back up to `limit` dead (or cancelled) jobs, of one kind if given; returns how many."""
    found = _locked().where(Job.state.in_({state} & set(STOPPED))).order_by(Job.id).limit(limit)
    return _put_back(found if kind is None else found.where(Job.kind == kind))


def cancel_job(job_id: UUID) -> Row:
    """Cancel a job that waits; one that is cancelled already stays so. Returns it as it is now.

    Raises NotFound, and Conflict when it has ended or is being worked on.
    """
    state = JOBS.get(job_id)["state"]
    job = db.session.scalars(_locked().where(Job.id == job_id, Job.state == "ready")).one_or_none()
    if job is not None:
        job.state, job.finished_at = "cancelled", func.now()
        _tell(job, "cancelled", "ready", attempts=job.attempts)
    elif state in ("ready", "running"):
        raise Conflict("This job is being worked on; look again in a moment.")
    elif state != "cancelled":
        raise Conflict(f"This job is {state}; only one that waits can be cancelled.")
    return JOBS.get(job_id)


def _locked() -> Select[Any]:
    """The organization's jobs for changing; those that a worker holds are not waited for."""
    return (
        select(Job)
        .where(Job.organization_id == current_organization_id())
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )


def _put_back(found: Select[Any]) -> int:
    jobs = db.session.scalars(found).all()
    if not jobs:
        return 0
    # A try that never came to its end must not be taken for the new first one of its process.
    db.session.execute(
        update(JobAttempt)
        .where(
            JobAttempt.organization_id == current_organization_id(),
            JobAttempt.job_id.in_([job.id for job in jobs]),
            JobAttempt.ended_at.is_(None),
        )
        .values(ended_at=func.now())
        .execution_options(synchronize_session=False)
    )
    for job in jobs:
        _tell(job, "retried", job.state, attempts=job.attempts)
        job.state, job.attempts, job.excused, job.finished_at = "ready", 0, 0, None
        job.run_at = func.now()
        current_context().jobs.lanes.append(job.lane)
    return len(jobs)


def _tell(job: Job, type: str, from_: str, **metadata: Any) -> None:
    """Tell the activity log who did that to the job."""
    principal = current_principal()
    enqueue(
        "activity.record",
        f"job:{job.id}:{uuid7()}:{type}",
        {
            "type": type,
            "action": f"{principal.kind}:job:{type}",
            "entity_type": "job",
            "entity_id": str(job.id),
            "entity_version": job.attempts,
            "engagement_id": None,
            "actor": principal.actor,
            "from": from_,
            "to": "ready" if type == "retried" else "cancelled",
            "metadata": {"kind": job.kind, **metadata},
        },
    )


JOBS = RecordQuery(
    Job,
    domain="jobs",
    noun="job",
    children={
        "attempts_log": aggregate(
            select(JobAttempt)
            .where(JobAttempt.organization_id == Job.organization_id, JobAttempt.job_id == Job.id)
            .correlate(Job),
            JobAttempt.n,
            n=JobAttempt.n,
            started_at=JobAttempt.started_at,
            ended_at=JobAttempt.ended_at,
            worker=JobAttempt.worker,
            outcome=JobAttempt.outcome,
            error=JobAttempt.error,
        )
    },
    filters={"state": equals(Job.state), "kind": equals(Job.kind)},
    deferred=("payload",),
    # The queue's table has no index that only its list would need.
    time_ordered_ids=True,
)
