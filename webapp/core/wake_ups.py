"""The only code that sends to Celery: wake-ups for the lanes in which jobs are due.

A wake-up names a lane and no job: whoever gets it asks the database for the next one. It may be
lost, doubled or late; the rows are what counts. So sending is best effort, and a breaker keeps a
dead broker from delaying more than one request in five seconds by its half second (settings.md,
*What is not a setting*).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import structlog
from celery import Celery
from flask import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from webapp.services.jobs.kinds import LANES, Lane

log = structlog.get_logger(__name__)

BREAKER_SECONDS = 5.0


class Publisher:
    """Sends wake-ups through Celery, behind a breaker. One per process."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._failing_since: float | None = None
        self._next_at: dict[str, float] = {}
        self._late: dict[str, float] = {}
        self._later: threading.Thread | None = None

    @property
    def failing_seconds(self) -> float:
        """How long the broker has been failing; 0 when the last attempt succeeded."""
        since = self._failing_since
        return 0.0 if since is None else time.monotonic() - since

    def publish(self, lanes: Iterable[str]) -> None:
        """Wake the lanes of these names, the most urgent first.

        A lane that was woken a moment ago is woken again a moment later, once for all jobs that
        have come until then: one wake-up serves many jobs.
        """
        wanted = set(lanes)
        for lane in LANES.values():
            if lane.name in wanted and self._is_due(lane):
                self.wake(lane)

    def wake(self, lane: Lane) -> bool:
        """Send one wake-up now; whether the broker took it."""
        with self._lock:
            if time.monotonic() < self._closed_until:
                return False
            if self._failing_since is not None:
                # One caller tries; the others go on without waiting for its answer.
                self._closed_until = time.monotonic() + BREAKER_SECONDS
        try:
            self._celery.send_task(lane.task, queue=lane.queue)
        except (OperationalError, RedisError, OSError) as error:
            with self._lock:
                self._closed_until = time.monotonic() + BREAKER_SECONDS
                self._failing_since = self._failing_since or time.monotonic()
            log.warning("broker_unreachable", error=type(error).__name__)
            return False
        with self._lock:
            self._closed_until = 0.0
            self._failing_since = None
        return True

    def _is_due(self, lane: Lane) -> bool:
        """Whether to wake the lane at once; if not, it is done when its pause is over."""
        now = time.monotonic()
        with self._lock:
            next_at = self._next_at.get(lane.name, 0.0)
            if now >= next_at:
                self._next_at[lane.name] = now + lane.pause
                return True
            self._late[lane.name] = next_at
            # Lazily, and anew in a forked process: threads do not come along.
            if self._later is None or not self._later.is_alive():
                self._later = threading.Thread(target=self._wake_late, daemon=True)
                self._later.start()
        return False

    def _wake_late(self) -> None:
        """Wake the lanes whose pause is over, until none is left."""
        while True:
            with self._lock:
                now = time.monotonic()
                due = [name for name, at in self._late.items() if at <= now]
                for name in due:
                    del self._late[name]
                    self._next_at[name] = now + LANES[name].pause
                if not due and not self._late:
                    self._later = None
                    return
                rest = min(self._late.values(), default=now) - now
            for name in due:
                self.wake(LANES[name])
            if not due:
                time.sleep(max(rest, 0.001))


def publisher() -> Publisher:
    """The publisher of the running application."""
    found: Publisher = current_app.extensions["publisher"]
    return found
