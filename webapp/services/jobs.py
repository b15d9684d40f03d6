"""Asking for later work, and looking at it.

A service asks by inserting a job row in its own transaction; the publisher hints at it after the
commit (architecture.md, *The one mechanism for work that must happen*).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from models.base import db, uuid7
from models.jobs import Job, JobAttempt
from models.tenancy import current_organization_id, current_scope
from webapp.services.reading import Reader, aggregate, equals


def enqueue(
    kind: str,
    dedupe_key: object,
    payload: Mapping[str, Any],
    *,
    ordering_key: str | None = None,
    run_at: dt.datetime | None = None,
    once: bool = False,
) -> UUID:
    """Insert a job in the running transaction and return its id.

    `dedupe_key` makes the job unique among those of its kind. Normally a second one is a
    programming error and violates the unique key; with `once` it is expected, and the row that
    is there already stands. Payloads hold ids and small facts, never rows.
    """
    job_id = uuid7()
    values: dict[str, Any] = {
        "organization_id": current_organization_id(),
        "id": job_id,
        "kind": kind,
        "dedupe_key": str(dedupe_key),
        "ordering_key": ordering_key,
        "payload": {"v": 1, **payload},
    }
    if run_at is not None:
        values |= {"run_at": run_at, "publish_after": run_at}
    if once:
        db.session.execute(
            insert(Job)
            .values(values)
            .on_conflict_do_nothing(index_elements=["organization_id", "kind", "dedupe_key"])
        )
    else:
        db.session.add(Job(**values))
    if run_at is None:
        current_scope().jobs.append((kind, job_id))
    return job_id


def prune() -> None:
    """x"""


JOBS = Reader(
    Job,
    noun="job",
    retrieve_extra={
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
