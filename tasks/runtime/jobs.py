"""How a job row is run: claimed, done in one transaction, and recorded — or recorded as failed.

The protocol: jobs.md, *The one mechanism*. A task is a
decorator and a body; everything that makes it happen once is here.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from models.db.inserts import Statement, execute_with_jobs
from models.db.queries import call_function, execute
from models.db.tenancy import as_system
from tasks.runtime.failures import Failure, write_failure
from webapp.core.job_ends import CHANNEL
from webapp.core.outages import Undeliverable, is_outage, through_outages
from webapp.core.transaction import in_transaction
from webapp.services.common.exceptions import DomainError
from webapp.services.jobs.kinds import JobKind, kind_named

log = structlog.get_logger(__name__)

# A lease is short, so that a dead holder's job is soon taken over, and renewed while it lives.
LEASE_SECONDS = 8
RENEW_SECONDS = 2.5
# How long the end of a try waits for the database to come back, within a consumer's time limit.
RECORD_SECONDS = 25.0

T = TypeVar("T")
Body = Callable[[dict[str, Any]], Any]
BatchBody = Callable[[list["JobRow"]], None]
Refusal = Callable[[dict[str, Any], str], None]


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as a body that takes many sees it."""

    id: UUID
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobTask:
    """What a kind of job does.

    `effect`, if there is one, is what it does outside the database (mail, webhooks): it gets what
    the body returned, runs under a lease after the body's transaction, and so happens at least
    once. Everything else happens in one transaction with the end of the job, and so exactly once.

    `delivered` and `undeliverable` tell the domain what became of the effect, in the transaction
    that ends the job. They get the payload; `undeliverable` a reason in words as well.

    A body `takes_many` jobs at once, as a list of JobRow, or the payload of one.
    """

    kind: JobKind
    body: Callable[..., Any]
    effect: Callable[[Any], None] | None = None
    delivered: Body | None = None
    undeliverable: Refusal | None = None
    takes_many: bool = False

    def run(self, rows: Sequence[JobRow]) -> Any:
        """Do the work of these jobs; of one, what its body returned."""
        if self.takes_many:
            return self.body(rows)
        [*_, last] = [self.body(row.payload) for row in rows]
        return last


TASKS: dict[str, JobTask] = {}


class LeaseLost(Exception):
    """Another worker has taken the job over; this one's effect must not be committed."""


def job(
    name: str,
    *,
    effect: Callable[[Any], None] | None = None,
    delivered: Body | None = None,
    undeliverable: Refusal | None = None,
) -> Callable[[Body], Body]:
    """Declare the body of a kind of job: it gets the payload and calls one service."""

    def declare(body: Body) -> Body:
        _register(JobTask(kind_named(name), body, effect, delivered, undeliverable))
        return body

    return declare


def batch_job(name: str) -> Callable[[BatchBody], BatchBody]:
    """Declare a body that takes many jobs at once; it works in the database only."""

    def declare(body: BatchBody) -> BatchBody:
        _register(JobTask(kind_named(name), body, takes_many=True))
        return body

    return declare


def _register(task: JobTask) -> None:
    name = task.kind.name
    if name in TASKS:
        raise ValueError(f"two bodies for {name}")
    if task.effect is not None and task.kind.batch:
        raise ValueError(f"{name} has an effect outside the database: one at a time")
    TASKS[name] = task


def run_job(name: str, organization_id: UUID, job_id: UUID) -> None:
    """Run one job by itself. Finding nothing to do is normal, and logged."""
    task = TASKS[name]
    claim = _claim(organization_id, job_id, LEASE_SECONDS if task.effect else None)
    if claim is None:
        log.info("job_not_waiting", kind=name, job_id=str(job_id))
        return
    run_claimed(task, organization_id, job_id, claim)


def run_claimed(task: JobTask, organization_id: UUID, job_id: UUID, claim: Claim) -> None:
    """Do the work of a claimed job and end it, or record the failure."""
    attempt = _Attempt(task, organization_id, job_id, claim.attempt, claim.fence)
    try:
        finished = attempt.run(claim.payload)
    except Exception as error:
        attempt.record_failure(error, claim.payload)
        return
    outcome = "job_done" if finished else "job_refused"
    log.info(outcome, kind=task.kind.name, job_id=str(job_id))


def record_failed(
    task: JobTask, organization_id: UUID, job_id: UUID, claim: Claim, error: Exception
) -> None:
    """Record that a claimed job has failed; its work has been rolled back."""
    attempt = _Attempt(task, organization_id, job_id, claim.attempt, claim.fence)
    attempt.record_failure(error, claim.payload)


class Claim(NamedTuple):
    """One attempt at a job, counted; `fence` tells the holders of its leases apart."""

    attempt: int
    fence: int
    payload: dict[str, Any]


def _claim(organization_id: UUID, job_id: UUID, lease: int | None) -> Claim | None:
    """Count the attempt and commit, so that even a SIGKILL leaves it counted."""
    keys = {"organization_id": organization_id, "job_id": job_id}
    rows = call_function(_CLAIM, **keys, worker=worker_name(), lease=lease)
    return Claim(**rows[0]) if rows else None


_CLAIM = "SELECT * FROM claim_job(%(organization_id)s, %(job_id)s, %(worker)s, %(lease)s::integer)"
_LOCK = """
       SELECT id FROM jobs WHERE organization_id = %(organization_id)s AND id = %(job_id)s
       AND state = 'ready' AND attempts = %(attempt)s FOR UPDATE SKIP LOCKED"""
_FINISH = Statement(
    "SELECT count(*) > 0 AS finished,"
    " count(CASE WHEN %(told)s THEN pg_notify(%(channel)s, id::text) END) AS told FROM finished",
    {
        "finished": """
         UPDATE jobs SET state = 'done', lease_until = NULL, finished_at = clock_timestamp(),
                last_error = %(error)s
         WHERE organization_id = %(organization_id)s AND id = %(job_id)s
           AND state IN ('ready', 'running') AND attempts = %(attempt)s AND fence = %(fence)s
         RETURNING id, ordering_key""",
        # What was put off because it waited for this one is due.
        "next": """
         UPDATE jobs w SET run_at = clock_timestamp() FROM finished
         WHERE w.organization_id = %(organization_id)s AND w.ordering_key = finished.ordering_key
           AND w.state = 'ready' AND w.run_at > clock_timestamp()""",
        "attempt": """
         UPDATE job_attempts SET ended_at = clock_timestamp(), error = %(error)s,
                outcome = CASE WHEN EXISTS (SELECT FROM finished) THEN %(outcome)s
                ELSE 'refused' END
         WHERE organization_id = %(organization_id)s AND job_id = %(job_id)s AND n = %(attempt)s
           AND worker = %(worker)s AND ended_at IS NULL""",
    },
)
_RENEW = (
    "SELECT renew_lease(%(organization_id)s, %(job_id)s, %(fence)s::integer, %(lease)s::integer)"
)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One claimed attempt at one job."""

    task: JobTask
    organization_id: UUID
    job_id: UUID
    number: int
    fence: int

    def run(self, payload: dict[str, Any]) -> bool:
        """Do the work and end the job, also when it can never work; False when the job is
        another's now."""
        try:
            if self.task.effect is None:
                return self._run_in_transaction(payload)
            return self._run_under_lease(payload, self.task.effect)
        except Undeliverable as error:
            log.warning("job_undeliverable", kind=self.task.kind.name, job_id=str(self.job_id))
            return self._end(partial(self._give_up, payload, error.detail), error=error)

    def _run_in_transaction(self, payload: dict[str, Any]) -> bool:
        """The work and the end of the job, in one transaction."""

        def work() -> bool:
            if not execute(_LOCK, self._keys):
                return False
            self.task.run([JobRow(self.job_id, payload)])
            if not self._finish():
                raise LeaseLost
            return True

        return in_transaction(as_system(self.organization_id), work)

    def _run_under_lease(self, payload: dict[str, Any], effect: Callable[[Any], None]) -> bool:
        """Three steps: what the body prepares, the effect outside, the end of the job.

        A lease holds the job meanwhile, no transaction does.
        """
        context = as_system(self.organization_id)
        prepared = in_transaction(context, lambda: self.task.run([JobRow(self.job_id, payload)]))
        if prepared is None:
            return self._end()
        with self._kept_lease():
            effect(prepared)
        return self._end(self.task.delivered and partial(self.task.delivered, payload))

    def _end(self, tell: Callable[[], Any] | None = None, error: Exception | None = None) -> bool:
        """End the job and tell the domain, in one transaction; False when it is another's now.

        An outage of the database is waited for: what was done outside would be done again.
        """

        def work() -> bool:
            finished = self._finish(error)
            if finished and tell is not None:
                tell()
            return finished

        return self._recorded(work)

    def _give_up(self, payload: dict[str, Any], reason: str) -> None:
        """Tell the domain that it will not happen, in the transaction that ends the job."""
        if self.task.undeliverable is not None:
            self.task.undeliverable(payload, reason)

    def _recorded(self, work: Callable[[], T]) -> T:
        """Do `work` in a transaction, after the end of an outage that does not last too long."""
        context = as_system(self.organization_id)
        return through_outages(lambda: in_transaction(context, work), RECORD_SECONDS)

    @contextmanager
    def _kept_lease(self) -> Iterator[None]:
        """Renew the lease while the effect takes its time."""
        done = threading.Event()

        def keep() -> None:
            while not done.wait(RENEW_SECONDS):
                try:
                    with app.app_context():
                        call_function(_RENEW, **self._keys, lease=LEASE_SECONDS)
                except SQLAlchemyError as error:
                    log.warning("lease_not_renewed", error=type(error).__name__)

        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        keeper = threading.Thread(target=keep, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def _finish(self, error: Exception | None = None) -> bool:
        values = {
            **self._keys,
            "error": error and describe(error),
            "outcome": "undeliverable" if error else "done",
            # Somebody may wait for what is in the most urgent lane (webapp/core/job_ends.py).
            "told": self.task.kind.lane == "signature",
            "channel": CHANNEL,
        }
        [row] = execute_with_jobs(_FINISH, values)
        return bool(row["finished"])

    def record_failure(self, error: Exception, payload: dict[str, Any]) -> None:
        """Write the failure in a transaction of its own; the effect's has been rolled back.

        While the database itself is away this waits for it; when that takes too long, the try
        counts as if the process had died.
        """
        told, excusable = describe(error), is_outage(error)

        def work() -> Failure | None:
            failure = write_failure(self.task.kind, self._keys, told, excusable=excusable)
            if failure and failure.state == "dead":
                self._give_up(payload, f"Given up after {self.number} tries. {told}")
            return failure

        failure = self._recorded(work)
        log.warning(
            "job_failed",
            kind=self.task.kind.name,
            job_id=str(self.job_id),
            attempt=self.number,
            state=failure and failure.state,
            outcome=failure and failure.outcome,
            error=told,
        )

    @property
    def _keys(self) -> dict[str, Any]:
        return {
            "organization_id": self.organization_id,
            "job_id": self.job_id,
            "attempt": self.number,
            "fence": self.fence,
            "worker": worker_name(),
        }


def worker_name() -> str:
    """Which process tries a job: after a retry the attempts are counted from one again, so that
    the number alone does not tell a late holder's attempt from a new one's."""
    return f"{socket.gethostname()}:{os.getpid()}"


def describe(error: BaseException) -> str:
    """What went wrong, for people, without any value that may be secret."""
    if isinstance(error, DomainError):
        return f"{type(error).__name__}: {error.detail}"
    if isinstance(error, DBAPIError) and error.orig is not None:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        name = type(error.orig).__name__
        return f"{name}: {constraint}" if constraint else name
    trace, where = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {where}" if where else type(error).__name__
