"""Waiting a little for a job, so that most callers get its result at once (*The sign flow*).

No connection and no lock is held meanwhile, and only half of the server's threads may wait at a
time; the others are answered with the job instead.
"""

from __future__ import annotations

import threading
import time
from uuid import UUID

from flask import Flask, current_app

from webapp.services.sales.queries import job_state

DEFAULT_SECONDS = 5
# Each pause is longer than the one before, so that little of the wait is for having looked early.
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.004, 0.1, 1.2


def init_waiting(app: Flask) -> None:
    threads = app.config["SETTINGS"].web_threads
    app.extensions["waiting"] = threading.BoundedSemaphore(max(1, threads // 2))


def done_within(job_id: UUID, seconds: float) -> bool:
    """Whether the job is done before `seconds` are over; False as well when too many wait.

    Raises NotFound when the caller may not see the job.
    """
    gate: threading.BoundedSemaphore = current_app.extensions["waiting"]
    if not gate.acquire(blocking=False):
        return False
    try:
        deadline = time.monotonic() + seconds
        pause = FIRST_PAUSE
        while (state := job_state(job_id)["state"]) in ("ready", "running"):
            if time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)
        return bool(state == "done")
    finally:
        gate.release()
