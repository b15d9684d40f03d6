"""Several jobs of one kind and organization, claimed and done together in one transaction.

If that fails, each is run by itself, so that the one it failed for is found and the others go on
(jobs.md, *Many jobs at once*).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from models.db.inserts import Statement, execute_with_jobs
from models.db.queries import execute
from models.db.tenancy import as_system
from tasks.runtime.jobs import (
    RECORD_SECONDS,
    Claim,
    JobRow,
    JobTask,
    LeaseLost,
    describe,
    record_failed,
    run_claimed,
    worker_name,
)
from webapp.core.job_ends import CHANNEL
from webapp.core.outages import is_outage, through_outages
from webapp.core.transaction import in_transaction

log = structlog.get_logger(__name__)


class ClaimedJob(NamedTuple):
    """A job that was claimed, its try counted."""

    organization_id: UUID
    job_id: UUID
    kind: str
    attempt: int
    fence: int
    payload: dict[str, Any]


_LOCK = """
    SELECT id FROM jobs WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s)
    AND state = 'ready' AND attempts = %(attempt)s ORDER BY seq FOR UPDATE SKIP LOCKED"""
# None of them has an ordering key, so that nothing waits for their end.
_FINISH = Statement(
    "SELECT count(*) AS finished,"
    " count(CASE WHEN %(told)s THEN pg_notify(%(channel)s, id::text) END) AS told FROM finished",
    {
        "finished": """
         UPDATE jobs SET state = 'done', finished_at = clock_timestamp(), last_error = NULL
         WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s)
           AND state = 'ready' AND attempts = %(attempt)s
         RETURNING id"""
    },
)
_WRITE_TRIES = """
    INSERT INTO job_attempts (organization_id, id, job_id, n, worker)
    SELECT %(organization_id)s, gen_random_uuid(), tried.id, %(attempt)s, %(worker)s::text
    FROM unnest(%(ids)s::uuid[]) AS tried (id)
    WHERE NOT EXISTS (  -- the commit may have been lost with its connection, or not
        SELECT FROM job_attempts t WHERE t.organization_id = %(organization_id)s
        AND t.job_id = tried.id AND t.worker = %(worker)s::text AND t.ended_at IS NULL)"""


def run_together(task: JobTask, claimed: Sequence[ClaimedJob]) -> None:
    """Do the claimed jobs in one transaction with their end; else each by itself.

    They are of one organization and kind, and in the same try.
    """
    try:
        count = in_transaction(as_system(claimed[0].organization_id), lambda: _do(task, claimed))
    except Exception as error:
        log.warning("batch_failed", kind=task.kind.name, error=describe(error))
        _run_singly(task, claimed, error)
        return
    log.info("batch_done", kind=task.kind.name, jobs=count)


def _do(task: JobTask, claimed: Sequence[ClaimedJob]) -> int:
    payloads = {job.job_id: job.payload for job in claimed}
    locked = [row["id"] for row in execute(_LOCK, _keys(claimed))]
    if not locked:
        return 0  # another consumer has taken them over
    task.run([JobRow(job_id, payloads[job_id]) for job_id in locked])
    told = task.kind.lane == "signature"
    values = {**_keys(claimed), "ids": locked, "told": told, "channel": CHANNEL}
    [row] = execute_with_jobs(_FINISH, values)
    if row["finished"] != len(locked):
        raise LeaseLost
    return len(locked)


def _run_singly(task: JobTask, claimed: Sequence[ClaimedJob], error: Exception) -> None:
    """Run each by itself in the try that it is in; after an outage they wait for the next one."""
    context = as_system(claimed[0].organization_id)
    values = {**_keys(claimed), "worker": worker_name()}
    through_outages(
        lambda: in_transaction(context, lambda: execute(_WRITE_TRIES, values)), RECORD_SECONDS
    )
    for job in claimed:
        claim = Claim(job.attempt, job.fence, job.payload)
        if is_outage(error):
            record_failed(task, job.organization_id, job.job_id, claim, error)
        else:
            run_claimed(task, job.organization_id, job.job_id, claim)


def _keys(claimed: Sequence[ClaimedJob]) -> dict[str, Any]:
    return {
        "organization_id": claimed[0].organization_id,
        "ids": [job.job_id for job in claimed],
        "attempt": claimed[0].attempt,
    }
