"""The only code that sends to Celery: hints that a job row is waiting.

A hint may be lost, doubled or late; the row is what counts. So publishing is best effort, and a
breaker keeps a dead broker from delaying more than one request in five seconds by its half second
(settings.md, *What is not a setting*).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from uuid import UUID

import structlog
from celery import Celery
from flask import current_app
from kombu.exceptions import OperationalError
from prometheus_client import Counter
from redis.exceptions import RedisError

from webapp.services.jobs.kinds import JobKind, kind_of_row

log = structlog.get_logger(__name__)

BREAKER_SECONDS = 5.0
# Jobs that are drained in batches need one hint for many rows: the first one's goes at once, and
# one for all that came since goes this much later. Each web process has its own; at 0.1 s their
# hints took a quarter of the processors' time while messages were posted as fast as they go.
BATCH_HINT_SECONDS = 0.25

HINTS = Counter("sx_job_hints_total", "Hints about waiting jobs", ["outcome"])


class Publisher:
    """Sends hints through Celery, behind a breaker. One per process."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._failing_since: float | None = None
        self._next_hint: dict[tuple[JobKind, UUID], float] = {}
        self._late: dict[tuple[JobKind, UUID], UUID] = {}
        self._later: threading.Thread | None = None

    @property
    def failing_seconds(self) -> float:
        """How long the broker has been failing; 0 when the last attempt succeeded."""
        since = self._failing_since
        return 0.0 if since is None else time.monotonic() - since

    def publish(self, organization_id: UUID, jobs: Iterable[tuple[str, UUID]]) -> bool:
        """Hint at the jobs, given as (kind, id). True if the broker took all of them.

        Those that somebody may be waiting for go first; batches follow.
        """
        known = [(kind_of_row(name), job_id) for name, job_id in jobs]
        for kind, job_id in sorted(known, key=lambda job: (not job[0].urgent, job[0].batch > 0)):
            if kind.batch and not self._due(kind, organization_id, job_id):
                HINTS.labels("coalesced").inc()
            elif not self._send(kind, organization_id, job_id):
                return False
        return True

    def _due(self, kind: JobKind, organization_id: UUID, job_id: UUID) -> bool:
        """Whether to hint at once; if not, it is done in a moment, for all that come until then."""
        now = time.monotonic()
        key = (kind, organization_id)
        with self._lock:
            if now < self._next_hint.get(key, 0.0):
                self._late.setdefault(key, job_id)
                # Lazily, and anew in a forked process: threads do not come along.
                if self._later is None or not self._later.is_alive():
                    self._later = threading.Thread(target=self._hint_late, daemon=True)
                    self._later.start()
                return False
            if len(self._next_hint) > 10_000:
                self._next_hint.clear()
            self._next_hint[key] = now + BATCH_HINT_SECONDS
        return True

    def _hint_late(self) -> None:
        """Give the late hints, pause after pause, until there are none."""
        while True:
            time.sleep(BATCH_HINT_SECONDS)
            with self._lock:
                late, self._late = self._late, {}
                if not late:
                    self._later = None
                    return
                soon = time.monotonic() + BATCH_HINT_SECONDS
                self._next_hint |= dict.fromkeys(late, soon)
            for (kind, organization_id), job_id in late.items():
                self._send(kind, organization_id, job_id)

    def _send(self, kind: JobKind, organization_id: UUID, job_id: UUID) -> bool:
        with self._lock:
            if time.monotonic() < self._closed_until:
                HINTS.labels("breaker_open").inc()
                return False
            if self._failing_since is not None:
                # One caller tries; the others go on without waiting for its answer.
                self._closed_until = time.monotonic() + BREAKER_SECONDS
        try:
            self._celery.send_task(
                kind.name,
                kwargs={"organization_id": str(organization_id), "job_id": str(job_id)},
                queue=kind.queue,
            )
        except (OperationalError, RedisError, OSError) as error:
            with self._lock:
                self._closed_until = time.monotonic() + BREAKER_SECONDS
                self._failing_since = self._failing_since or time.monotonic()
            HINTS.labels("failed").inc()
            log.warning("broker_unreachable", error=type(error).__name__)
            return False
        with self._lock:
            self._closed_until = 0.0
            self._failing_since = None
        HINTS.labels("sent").inc()
        return True


def publisher() -> Publisher:
    """The publisher of the running application."""
    found: Publisher = current_app.extensions["publisher"]
    return found
