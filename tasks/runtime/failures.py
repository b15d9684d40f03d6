"""How a failed try at a job is written down: counted or excused, and what comes next.

An outage of a service is excused while the kind of job has patience (jobs.md, *Patience*).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from models.db.queries import execute
from webapp.services.jobs.kinds import JobKind


class Failure(NamedTuple):
    """The state the job is in now, and whether the try was `excused` or counted as `failed`."""

    state: str
    outcome: str


def write_failure(
    kind: JobKind, keys: Mapping[str, Any], error: str, *, excusable: bool
) -> Failure | None:
    """Write down, in the running transaction, that a try has failed with `error`.

    `keys` name the try: organization_id, job_id, attempt, fence, worker. Its job waits for the next
    one, and with it what waits for the job; or it is dead. None when the job is another's by now.
    A second recording of the same try changes nothing.
    """
    values = {
        **keys,
        "error": error,
        "delay": kind.pause(keys["attempt"]),
        "outage": excusable,
        "patience": None if kind.patience is None else kind.patience.total_seconds(),
    }
    rows = execute(_FAIL, values)
    return Failure(**rows[0]) if rows else None


_FAIL = """
       -- Only a try that is not ended yet: the commit of an earlier recording may have been lost
       -- with its connection, or not. The first try is that since the job was last put back.
       WITH tried AS (
         SELECT t.id, %(outage)s AND (%(patience)s::float8 IS NULL OR clock_timestamp()
                  < first.started_at + make_interval(secs => %(patience)s)) AS excused
         FROM job_attempts t JOIN LATERAL (
           SELECT coalesce(max(f.started_at), t.started_at) AS started_at FROM job_attempts f
           WHERE f.organization_id = t.organization_id AND f.job_id = t.job_id AND f.n = 1
         ) first ON true
         WHERE t.organization_id = %(organization_id)s AND t.job_id = %(job_id)s
           AND t.n = %(attempt)s AND t.worker = %(worker)s AND t.ended_at IS NULL),
       ended AS (
         SELECT j.id, t.excused,
                j.attempts - j.excused - t.excused::int >= j.max_attempts AS is_dead
         FROM jobs j, tried t WHERE j.organization_id = %(organization_id)s AND j.id = %(job_id)s
         FOR UPDATE OF j),
       failed AS (
         UPDATE jobs j SET last_error = %(error)s, lease_until = NULL,
                excused = j.excused + ended.excused::int,
                state = CASE WHEN ended.is_dead THEN 'dead' ELSE 'ready' END,
                finished_at = CASE WHEN ended.is_dead THEN clock_timestamp() END,
                run_at = clock_timestamp() + make_interval(secs => %(delay)s)
         FROM ended
         WHERE j.organization_id = %(organization_id)s AND j.id = ended.id
           AND j.state IN ('ready', 'running') AND j.attempts = %(attempt)s AND fence = %(fence)s
         RETURNING state, ordering_key, seq, run_at, ended.excused),
       -- What waits for it has nothing to be looked at for until then.
       put_off AS (
         UPDATE jobs w SET run_at = failed.run_at FROM failed
         WHERE w.organization_id = %(organization_id)s AND w.ordering_key = failed.ordering_key
           AND w.seq > failed.seq AND w.state = 'ready' AND w.run_at < failed.run_at
           AND failed.state = 'ready'),
       attempt AS (
         UPDATE job_attempts a SET error = %(error)s, ended_at = clock_timestamp(),
                outcome = CASE WHEN EXISTS (SELECT FROM failed WHERE excused) THEN 'excused'
                               ELSE 'failed' END
         FROM tried WHERE a.organization_id = %(organization_id)s AND a.id = tried.id)
       SELECT state, CASE WHEN excused THEN 'excused' ELSE 'failed' END AS outcome FROM failed"""
