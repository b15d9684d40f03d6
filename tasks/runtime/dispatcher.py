"""The dispatcher: hints again at jobs that are due, and runs them itself when the broker is gone.

Any number may run. It connects with a role of its own that sees whose work is due, never what it
is about (jobs.md, *The one mechanism*, step 4; tenancy.md).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from uuid import UUID

import redis
import structlog
from flask import Flask
from sqlalchemy import Engine, Row, create_engine, text

from tasks.runtime.jobs import TASKS, describe, run_job
from webapp.config import Settings
from webapp.core.job_hints import Publisher
from webapp.services.jobs.kinds import KINDS, kind_of_row

log = structlog.get_logger(__name__)

Due = Row[tuple[UUID, UUID, str, int]]  # organization, job, kind, seq

POLL_SECONDS = 0.25
RESEND_SECONDS = 5
# A broker that is started again, and workers that come back to it, need less (faults.md).
BROKER_GONE_SECONDS = 10
# While jobs are run here: how often the broker is looked for. A look can take half a second.
LOOK_FOR_BROKER_SECONDS = 2
# What is run before all else, because somebody waits for it: done within 15 s of the signature.
_URGENT = ", ".join(f"'{kind.name}'" for kind in KINDS.values() if kind.urgent)
# Hints in the queue that nobody took yet: with more than this the dispatcher adds none. When the
# broker comes back and much is due, a new signature's hint waits behind these, not behind all.
QUEUE_BOUND = 300

_END_LEASES = text(
    """UPDATE jobs SET lease_until = NULL,
              state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'ready' END,
              finished_at = CASE WHEN attempts >= max_attempts THEN clock_timestamp() END,
              publish_after = clock_timestamp(),
              last_error = 'Its worker did not come back before the lease ended.'
       WHERE state = 'running' AND lease_until < clock_timestamp()"""
)
_TAKE = """
    UPDATE jobs SET publish_after = clock_timestamp() + make_interval(secs => :again)
    FROM (SELECT d.organization_id, d.id FROM jobs d
          WHERE d.state = 'ready' AND d.publish_after <= clock_timestamp() AND {which}
          ORDER BY d.publish_after LIMIT :size FOR UPDATE SKIP LOCKED) due
    WHERE jobs.organization_id = due.organization_id AND jobs.id = due.id
    RETURNING jobs.organization_id, jobs.id, jobs.kind, jobs.seq"""
# In two statements, each with an index in the order that it reads, however much is due.
_TAKE_URGENT = text(_TAKE.format(which=f"d.kind IN ({_URGENT})"))
_TAKE_DUE = text(_TAKE.format(which="true"))


class Dispatcher:
    """One dispatcher process."""

    def __init__(self, app: Flask) -> None:
        settings: Settings = app.config["SETTINGS"]
        self._app = app
        self._publisher: Publisher = app.extensions["publisher"]
        self._queue = app.config["CELERY"]["task_default_queue"]
        self._engine = dispatcher_engine(settings)
        self._broker = redis.Redis.from_url(
            settings.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5
        )
        self._broker_gone_at: float | None = None
        self._stop = threading.Event()

    def run(self) -> None:
        """Dispatch until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        log.info("dispatcher_started")
        while not self._stop.is_set():
            try:
                worked = self.step()
            except Exception as error:  # whatever it is, the jobs need somebody who goes on
                log.warning("dispatch_failed", error=describe(error))
                worked = False
                self._stop.wait(1)
            if not worked:
                self._stop.wait(POLL_SECONDS)
        self._engine.dispose()

    def step(self) -> bool:
        """One look at what is due; True when more may be waiting."""
        waiting = self._queue_length()
        if waiting is None:
            self._broker_gone_at = self._broker_gone_at or time.monotonic()
            gone_for = time.monotonic() - self._broker_gone_at
            run_here = gone_for >= BROKER_GONE_SECONDS
            return run_here and self._run_due()
        self._broker_gone_at = None
        room = QUEUE_BOUND - waiting
        if room <= 0:
            return False
        due = self._take(room)
        self._hint(sorted(due, key=lambda row: (not kind_of_row(row.kind).urgent, row.seq)))
        return len(due) == QUEUE_BOUND

    def _take(self, size: int) -> Sequence[Due]:
        """End the leases of the dead, then take what is due; it is due again in 5 seconds."""
        with self._engine.begin() as connection:
            connection.execute(_END_LEASES)
            taken: list[Due] = []
            for take in (_TAKE_URGENT, _TAKE_DUE):
                if len(taken) < size:
                    values = {"again": RESEND_SECONDS, "size": size - len(taken)}
                    taken += connection.execute(take, values).all()
            return taken

    def _hint(self, due: Sequence[Due]) -> None:
        for row in _one_per_batch(due):
            self._publisher.publish(row.organization_id, [(row.kind, row.id)])
        if due:
            log.info("jobs_hinted", count=len(due))

    def _run_due(self) -> bool:
        """Run what is due until the broker is to be looked for again; True if more is due.

        Each job is chosen when the one before has ended: a signature that comes meanwhile waits
        for that one only, not for all that was due before it.
        """
        count, end = 0, time.monotonic() + LOOK_FOR_BROKER_SECONDS
        due: Sequence[Due] = ()
        while not self._stop.is_set() and time.monotonic() < end:
            due = self._take(1)
            if not due:
                break
            [row] = due
            if row.kind in TASKS:
                with self._app.app_context():
                    run_job(row.kind, row.organization_id, row.id)
                count += 1
        if count:
            log.info("jobs_run_without_broker", count=count)
        return bool(due)

    def _queue_length(self) -> int | None:
        """How many hints wait in the broker; None when it does not answer."""
        try:
            return int(self._broker.llen(self._queue))
        except (redis.RedisError, OSError):
            return None


def _one_per_batch(due: Sequence[Due]) -> list[Due]:
    """Of jobs that are drained in batches, one for each organization stands for all."""
    seen: set[tuple[str, UUID]] = set()
    chosen = []
    for row in due:
        key = (row.kind, row.organization_id)
        if kind_of_row(row.kind).batch:
            if key in seen:
                continue
            seen.add(key)
        chosen.append(row)
    return chosen


def dispatcher_engine(settings: Settings) -> Engine:
    """An engine as the role that sees jobs only."""
    return create_engine(
        settings.dispatcher_url,
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
        connect_args=settings.connect_args,
    )
