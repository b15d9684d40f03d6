"""The worker: one process for each consumer of a lane, all forked from one that has loaded all.

Each is a Celery worker of its own that runs one job at a time (the pool `solo`), so that a lane has
its own consumers, a process that is killed takes one job with it, and what the processes have in
common is in memory once. What Celery's pool of processes would do is done here: a consumer that has
ended is replaced, a job that takes too long is ended, and a process that has grown is renewed.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import signal
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from celery import Celery, signals
from celery.utils.nodenames import host_format
from celery.worker import state

from tasks.runtime.worker import give_freed_memory_back
from webapp.services.jobs.kinds import LANES, Lane

log = structlog.get_logger(__name__)

# A wake-up is served within `SLICE_SECONDS` and one job. One that takes longer is interrupted, and
# one that cannot be interrupted is ended with its process.
SOFT_SECONDS, HARD_SECONDS = 30, 45
MAX_WAKE_UPS = 5_000
MAX_BYTES = 400 * 1024 * 1024
STOP_SECONDS = 20.0  # for the jobs at hand, when the worker is told to end
LOOK_SECONDS = 0.05
# A consumer that died at once is replaced after a pause that doubles.
YOUNG_SECONDS, FIRST_PAUSE, LONGEST_PAUSE = 5.0, 0.1, 5.0

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h


class TookTooLong(Exception):
    """A job was still at work after 30 seconds."""


@dataclass(slots=True)
class _Place:
    """One consumer's place: which lane it serves, and who holds it now."""

    lane: Lane
    number: int
    pid: int = 0
    began: float = 0.0
    pause: float = 0.0
    free_at: float = 0.0


class Consumers:
    """The worker's processes. `wanted` is how many consumers each lane gets, by its name."""

    def __init__(self, celery: Celery, wanted: Mapping[str, int]) -> None:
        self._celery = celery
        self._places = [
            _Place(lane, number)
            for lane in LANES.values()
            for number in range(1, wanted[lane.name] + 1)
        ]
        self._stopping = False

    def run(self) -> None:
        """Keep a process in each place until SIGTERM or SIGINT; then let the jobs at hand end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # The children's collector leaves alone what was there before the fork, and so copies none.
        gc.collect()
        gc.freeze()
        log.info("worker_started", count=len(self._places))
        while not self._stopping:
            self._reap()
            for place in self._places:
                if not place.pid and time.monotonic() >= place.free_at:
                    self._fork(place)
            time.sleep(LOOK_SECONDS)
        self._end()

    def _fork(self, place: _Place) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = _consume(self._celery, place.lane, place.number, parent)
            except BaseException as error:  # nothing of the parent's may run on in the child
                log.error("consumer_failed", name=place.lane.name, error=type(error).__name__)
            finally:
                os._exit(status)
        place.pid, place.began = pid, time.monotonic()

    def _reap(self) -> None:
        for place in self._places:
            if place.pid and os.waitpid(place.pid, os.WNOHANG)[0]:
                now = time.monotonic()
                young = now - place.began < YOUNG_SECONDS
                place.pause = min(LONGEST_PAUSE, 2 * place.pause or FIRST_PAUSE) if young else 0.0
                place.pid, place.free_at = 0, now + place.pause

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _end(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        self._signal(signal.SIGTERM)
        while any(place.pid for place in self._places) and time.monotonic() < deadline:
            self._reap()
            time.sleep(LOOK_SECONDS)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.pid:
                with suppress(ProcessLookupError):
                    os.kill(place.pid, number)


def _consume(celery: Celery, lane: Lane, number: int, parent: int) -> int:
    """Be a consumer of the lane until told to end; the exit status."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    _end_with(parent, f"sx {lane.name}")
    os.nice(lane.niceness)
    give_freed_memory_back()
    # Root is usual in containers, and only JSON is accepted: the warning would say nothing new.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    signals.task_prerun.connect(_begin_limit)
    signals.task_postrun.connect(_end_limit)
    worker: Any = celery.Worker(
        hostname=host_format(f"{lane.name}{number}@%h"),
        queues=[lane.queue],
        pool="solo",
        concurrency=1,
        loglevel="WARNING",
        quiet=True,
        # What workers tell each other nobody here listens to.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _end_with(parent: int, name: str) -> None:
    """Have the kernel end this process together with its parent (Linux), and name it for `ps`."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        prctl(_PR_SET_NAME, name.encode()[:15])
    if os.getppid() != parent:  # it died before the call above: nobody would tell us
        os._exit(1)


def _begin_limit(**_: Any) -> None:
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, SOFT_SECONDS)
    # File descriptor 2: Celery has put an object of its own in the place of sys.stderr.
    faulthandler.dump_traceback_later(HARD_SECONDS, exit=True, file=2)


def _end_limit(**_: Any) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()
    served = sum(state.total_count.values())
    if served >= MAX_WAKE_UPS or _resident_bytes() > MAX_BYTES:
        state.should_stop = 0  # after this one; the place is filled anew


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise TookTooLong


def _resident_bytes() -> int:
    """How much memory this process holds; 0 where that cannot be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
