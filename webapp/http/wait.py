"""Waiting a little for a job, so that most get its result at once (sign-flow.md, *Waiting*).

`Prefer: respond-async` or `wait=N` says how long to wait for it (RFC 7240). No connection and no
lock is held meanwhile, and only half of the server's threads may wait at a time; the others are
answered with the job instead.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from flask import Flask, current_app, request

from webapp.core.job_ends import JobEnds
from webapp.http.idempotency import REPLAYED
from webapp.http.responses import ApiResponse
from webapp.services.jobs.backlog import lane_ages
from webapp.services.sales.queries import job_state

log = structlog.get_logger(__name__)

T = TypeVar("T")

DEFAULT_SECONDS = 5
MAX_SECONDS = 30
MAX_RETRY_SECONDS = 60
KNOWN_SECONDS = 2.0
# Each pause is longer than the one before, so that little of the wait is for having looked early.
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.004, 0.1, 1.2
# The first pause where the end of the job is told: then a look is only for what was not heard.
TOLD_PAUSE = 0.05


def init_waiting(app: Flask) -> None:
    threads = app.config["SETTINGS"].web_threads
    app.extensions["waiting"] = threading.BoundedSemaphore(max(1, threads // 2))
    app.extensions["job_ends"] = JobEnds(app)
    app.extensions["signatures_wait"] = _Known()


def unless_it_fails(work: Callable[[], T], instead: T) -> T:
    """What `work` returns; `instead` when it fails, whatever the reason, which the log gets.

    For what runs after the commit: it cannot undo what is recorded, so it must not make the answer
    say that nothing was.
    """
    try:
        return work()
    except Exception as error:
        log.warning("failed_after_commit", error=type(error).__name__)
        return instead


def done_within(job_id: UUID, seconds: float) -> bool:
    """Whether the job is done before `seconds` are over; False as well when too many wait.

    Raises NotFound when the caller may not see the job.
    """
    gate: threading.BoundedSemaphore = current_app.extensions["waiting"]
    if not gate.acquire(blocking=False):
        return False
    try:
        deadline = time.monotonic() + seconds
        ends: JobEnds = current_app.extensions["job_ends"]
        # Watched before it is looked at, or its end could fall between the two.
        with ends.watched(job_id) as ended:
            pause = TOLD_PAUSE if ends.is_listening else FIRST_PAUSE
            if ends.is_listening:
                ended.wait(min(pause, seconds))
            while (state := job_state(job_id)["state"]) in ("ready", "running"):
                if time.monotonic() + pause > deadline:
                    return False
                ended.wait(pause)
                pause = min(pause * GROWTH, LONGEST_PAUSE)
            return bool(state == "done")
    finally:
        gate.release()


def _seconds_to_the_result() -> int:
    """When to ask again: soon, or after as long as signatures wait at present; at most a minute."""
    late = unless_it_fails(_age_of_signatures, 0.0)
    return max(1, min(MAX_RETRY_SECONDS, math.ceil(late)))


def _age_of_signatures() -> float:
    """How long the oldest signature waits, as of a moment ago: asked once in two seconds."""
    known: _Known = current_app.extensions["signatures_wait"]
    if time.monotonic() > known.until:
        known.until = time.monotonic() + KNOWN_SECONDS
        known.seconds = lane_ages()["signature"]
    return known.seconds


@dataclass(slots=True)
class _Known:
    seconds: float = 0.0
    until: float = 0.0


def wait_wanted() -> tuple[int, bool]:
    """The seconds to wait, and whether the caller said so. Malformed preferences are ignored."""
    prefer = request.headers.get("Prefer", "").lower()
    if "respond-async" in (part.strip() for part in re.split("[,;]", prefer)):
        return 0, True
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?", prefer)
    if found:
        return min(int(found.group(1)), MAX_SECONDS), True
    return DEFAULT_SECONDS, False


def wait_for_result(
    accepted: ApiResponse,
    result: Callable[[dict[str, Any]], Any],
    promise: Callable[[dict[str, Any]], Any],
    *,
    about: str = "proposal",
) -> ApiResponse:
    """Answer an accepted request with its result (200) if its job is done soon enough, else 202.

    The accepted body is what is kept for retries: the job, and what both `result` and `promise`
    make the body of, the latter without the result. A replayed answer is given its result as well,
    at once if it is there, whatever the caller prefers. What goes wrong meanwhile leaves it at 202;
    what was signed (`about`) is null then.
    """
    if accepted.status != 202:
        return accepted
    kept = accepted.body
    accepted.headers["Retry-After"] = str(_seconds_to_the_result())
    seconds, stated = wait_wanted()
    if stated:
        preference = "respond-async" if seconds == 0 else f"wait={seconds}"
        accepted.headers["Preference-Applied"] = preference

    def awaited() -> ApiResponse | None:
        if not done_within(UUID(kept["job"]["id"]), seconds):
            return None
        ended = ("Location", "Retry-After")
        headers = {name: value for name, value in accepted.headers.items() if name not in ended}
        return ApiResponse(200, result(kept), headers)

    if seconds or REPLAYED in accepted.headers:
        done = unless_it_fails(awaited, None)
        if done is not None:
            return done
    accepted.body = unless_it_fails(lambda: promise(kept), {about: None, "job": kept["job"]})
    return accepted
