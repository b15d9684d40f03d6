"""The dispatcher: hints again at jobs that are due, and runs them itself when the broker is gone.

Any number may run. It connects with a role of its own that sees whose work is due, never what it
is about (architecture.md, *The one mechanism*, step 4; *Tenancy*).
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
from sqlalchemy.exc import SQLAlchemyError

from tasks.base import KINDS, run_job
from webapp.config import Settings
from webapp.publisher import Publisher

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
BATCH = 200
RESEND_SECONDS = 5
BROKER_GONE_SECONDS = 10
# Hints in the queue that nobody took yet: with more than this there is no point in adding others.
QUEUE_BOUND = 1000

_END_LEASES = text(
    """UPDATE jobs SET lease_until = NULL,
              state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'ready' END,
              finished_at = CASE WHEN attempts >= max_attempts THEN clock_timestamp() END,
              publish_after = clock_timestamp(),
              last_error = 'Its worker did not come back before the lease ended.'
       WHERE state = 'running' AND lease_until < clock_timestamp()"""
)
_TAKE_DUE = text(
    """UPDATE jobs SET publish_after = clock_timestamp() + make_interval(secs => :again)
       FROM (SELECT d.organization_id, d.id FROM jobs d
             WHERE d.state = 'ready' AND d.publish_after <= clock_timestamp()
             ORDER BY d.publish_after LIMIT :size FOR UPDATE SKIP LOCKED) due
       WHERE jobs.organization_id = due.organization_id AND jobs.id = due.id
       RETURNING jobs.organization_id, jobs.id, jobs.kind, jobs.seq"""
)


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
            except SQLAlchemyError as error:
                log.warning("database_unreachable", error=type(error).__name__)
                worked = False
                self._stop.wait(1)
            if not worked:
                self._stop.wait(POLL_SECONDS)
        self._engine.dispose()

    def step(self) -> bool:
        """One look at what is due; True when a full batch was, and more may be waiting."""
        waiting = self._queue_length()
        gone_for = 0.0
        if waiting is None:
            self._broker_gone_at = self._broker_gone_at or time.monotonic()
            gone_for = time.monotonic() - self._broker_gone_at
        else:
            self._broker_gone_at = None
        run_here = gone_for >= BROKER_GONE_SECONDS
        room = QUEUE_BOUND - (waiting or 0)
        if waiting is not None and room <= 0:
            return False
        if waiting is None and not run_here:
            return False  # neither hints nor patience are at an end yet
        with self._engine.begin() as connection:
            connection.execute(_END_LEASES)
            size = BATCH if run_here else min(BATCH, room)
            due = connection.execute(_TAKE_DUE, {"again": RESEND_SECONDS, "size": size}).all()
        due = sorted(due, key=lambda row: row.seq)
        if run_here:
            self._run(due)
        else:
            self._hint(due)
        return len(due) == BATCH

    def _hint(self, due: Sequence[Row[tuple[UUID, UUID, str, int]]]) -> None:
        for row in _one_per_batch(due):
            self._publisher.publish(row.organization_id, [(row.kind, row.id)])
        if due:
            log.info("jobs_hinted", count=len(due))

    def _run(self, due: Sequence[Row[tuple[UUID, UUID, str, int]]]) -> None:
        for row in _one_per_batch(due):
            if self._stop.is_set():
                return
            if row.kind in KINDS:
                with self._app.app_context():
                    run_job(row.kind, row.organization_id, row.id)
        if due:
            log.info("jobs_run_without_broker", count=len(due))

    def _queue_length(self) -> int | None:
        """How many hints wait in the broker; None when it does not answer."""
        try:
            return int(self._broker.llen(self._queue))
        except (redis.RedisError, OSError):
            return None


def _one_per_batch(
    due: Sequence[Row[tuple[UUID, UUID, str, int]]],
) -> list[Row[tuple[UUID, UUID, str, int]]]:
    """Of jobs that are drained in batches, one for each organization stands for all."""
    seen: set[tuple[str, UUID]] = set()
    chosen = []
    for row in due:
        key = (row.kind, row.organization_id)
        if row.kind in KINDS and KINDS[row.kind].batch:
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
