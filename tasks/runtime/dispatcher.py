"""The dispatcher: wakes lanes whose jobs nobody takes, and runs them itself without a broker.

Any number may run. It connects with a role of its own that sees whose work is due, never what it
is about (jobs.md, *The one mechanism*, step 4; tenancy.md).
"""

from __future__ import annotations

import signal
import threading
import time

import redis
import structlog
from flask import Flask
from sqlalchemy import Engine, create_engine, text

from tasks.runtime.jobs import describe
from tasks.runtime.lanes import run_next
from webapp.config import Settings
from webapp.core.wake_ups import Publisher
from webapp.services.jobs.kinds import LANES, Lane

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
# How often dead jobs are looked for, and how long it is not said again that there are some.
DEAD_LOOK_SECONDS = 5.0
DEAD_SILENCE_SECONDS = 3600.0
# A job that has been due for so long has lost its wake-up, or those before it take their time.
LOST_SECONDS = 1.0
# A broker that is started again, and workers that come back to it, need less (faults.md).
BROKER_GONE_SECONDS = 10
# While jobs are run here: how often the broker is looked for. A look can take half a second.
LOOK_FOR_BROKER_SECONDS = 2

_END_LEASES = text(
    """UPDATE jobs SET lease_until = NULL,
              state = CASE WHEN attempts - excused >= max_attempts THEN 'dead' ELSE 'ready' END,
              finished_at = CASE WHEN attempts - excused >= max_attempts THEN clock_timestamp() END,
              run_at = clock_timestamp(),
              last_error = 'Its worker did not come back before the lease ended.'
       WHERE state = 'running' AND lease_until < clock_timestamp()"""
)
# The lanes' due jobs, counted no further than wake-ups can be of use.
_DUE = text(
    """SELECT l.lane, (
           SELECT count(*) FROM (
               SELECT FROM jobs j WHERE j.state = 'ready' AND j.lane = l.lane
                 AND j.run_at <= clock_timestamp() - make_interval(secs => :lost)
               LIMIT l.most) found) AS jobs
       FROM unnest(CAST(:lanes AS text[]), CAST(:most AS int[])) AS l (lane, most)"""
)


_DEAD = text(
    """SELECT kind, count(*) AS jobs FROM jobs
       WHERE state = 'dead' AND finished_at > clock_timestamp() - make_interval(secs => :silence)
       GROUP BY kind"""
)


class Dispatcher:
    """One dispatcher process."""

    def __init__(self, app: Flask) -> None:
        settings: Settings = app.config["SETTINGS"]
        self._app = app
        self._publisher: Publisher = app.extensions["publisher"]
        self._engine = dispatcher_engine(settings)
        self._broker = redis.Redis.from_url(
            settings.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5
        )
        self._broker_gone_at: float | None = None
        self._dead_silence_until: dict[str, float] = {}
        self._dead_look_at = 0.0
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
        """One look at what is due; True when more may be waiting for this process itself."""
        due = self._due()
        self._tell_of_the_dead()
        waiting = self._wake_ups()
        if waiting is None:
            self._broker_gone_at = self._broker_gone_at or time.monotonic()
            gone_for = time.monotonic() - self._broker_gone_at
            return gone_for >= BROKER_GONE_SECONDS and self._run_due()
        self._broker_gone_at = None
        missing = {name: max(0, jobs - waiting[name]) for name, jobs in due.items()}
        for name, count in missing.items():
            for _ in range(count):
                self._publisher.wake(LANES[name])
        if sum(missing.values()):
            log.info("lanes_woken", count=sum(missing.values()))
        return False

    def _due(self) -> dict[str, int]:
        """End the leases of the dead; then the wake-ups that each lane's due jobs are worth."""
        lanes = list(LANES.values())
        values = {
            "lost": LOST_SECONDS,
            "lanes": [lane.name for lane in lanes],
            "most": [lane.wake_ups for lane in lanes],
        }
        with self._engine.begin() as connection:
            connection.execute(_END_LEASES)
            return {row.lane: row.jobs for row in connection.execute(_DUE, values)}

    def _tell_of_the_dead(self) -> None:
        """Warn of jobs that gave up lately: once an hour for each kind."""
        now = time.monotonic()
        if now < self._dead_look_at:
            return
        self._dead_look_at = now + DEAD_LOOK_SECONDS
        with self._engine.connect() as connection:
            dead = connection.execute(_DEAD, {"silence": DEAD_SILENCE_SECONDS}).all()
        for row in dead:
            if now >= self._dead_silence_until.get(row.kind, 0.0):
                self._dead_silence_until[row.kind] = now + DEAD_SILENCE_SECONDS
                log.warning("jobs_dead", kind=row.kind, count=row.jobs)

    def _run_due(self) -> bool:
        """Run what is due until the broker is to be looked for again; True if more may be due.

        Each job is chosen when the one before has ended: a signature that comes meanwhile waits
        for that one only, not for all that was due before it.
        """
        count, end = 0, time.monotonic() + LOOK_FOR_BROKER_SECONDS
        more = True
        with self._app.app_context():
            while more and not self._stop.is_set() and time.monotonic() < end:
                more = any(run_next(lane) for lane in LANES.values())
                count += more
        if count:
            log.info("jobs_run_without_broker", count=count)
        return more

    def _wake_ups(self) -> dict[str, int] | None:
        """How many wake-ups wait in the broker for each lane; None when it does not answer."""
        lanes: list[Lane] = list(LANES.values())
        try:
            with self._broker.pipeline(transaction=False) as pipeline:
                for lane in lanes:
                    pipeline.llen(lane.queue)
                lengths = pipeline.execute()
        except (redis.RedisError, OSError):
            return None
        return {lane.name: int(length) for lane, length in zip(lanes, lengths, strict=True)}


def dispatcher_engine(settings: Settings) -> Engine:
    """An engine as the role that sees jobs only."""
    return create_engine(
        settings.dispatcher_url,
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
        connect_args=settings.connect_args,
    )
