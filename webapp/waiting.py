"""Waiting a little for a job, so that most callers get its result at once (*The sign flow*).

No connection and no lock is held meanwhile, and only half of the server's threads may wait at a
time; the others are answered with the job instead.
"""

from __future__ import annotations

import threading
import time
from uuid import UUID

from flask import Flask, current_app

from webapp.services.sales.reading import job_state

DEFAULT_SECONDS = 5
_PAUSES = (0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1)


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
        step = 0
        while (state := job_state(job_id)["state"]) in ("ready", "running"):
            pause = _PAUSES[min(step, len(_PAUSES) - 1)]
            if time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
            step += 1
        return bool(state == "done")
    finally:
        gate.release()
