"""What a wake-up does: the lane's due jobs are taken one after the other, until none is left.

Which job is the next is the database's choice (jobs.md, *Lanes*): the organizations take turns, and
within one the job that has been due the longest comes first. So it does not matter which wake-ups
were lost, or in which order they came.
"""

from __future__ import annotations

import time
from uuid import UUID

from celery import shared_task
from flask import current_app

from models.db.queries import call_function
from tasks.runtime.batches import ClaimedJob, run_together
from tasks.runtime.jobs import LEASE_SECONDS, TASKS, Claim, run_claimed, worker_name
from webapp.core.wake_ups import Publisher
from webapp.services.jobs.kinds import LANES, Lane

# A wake-up is served for so long; then another one is sent, so that each stays well below the
# time limit, and a worker that is told to end does so soon.
SLICE_SECONDS = 2.0

_CLAIM_NEXT = """
    SELECT * FROM claim_next(%(lane)s, %(kinds)s, %(batches)s, %(sizes)s, %(leased)s, %(after)s,
                             %(worker)s, %(lease)s)"""

# Whose turn was the last, by lane. Each process begins anywhere, as ids are random in their end.
_served: dict[str, UUID] = {}


def run_lane(lane: Lane) -> None:
    """Run what is due in the lane, for `SLICE_SECONDS` at most; wakes it again if more may be."""
    end = time.monotonic() + SLICE_SECONDS
    while run_next(lane):
        if time.monotonic() > end:
            publisher: Publisher = current_app.extensions["publisher"]
            publisher.wake(lane)
            return


def run_next(lane: Lane) -> bool:
    """Run what is due next in the lane: a job, or several of a kind; False when nothing is due."""
    found = _claim_next(lane)
    if not found:
        return False
    first = found[0]
    _served[lane.name] = first.organization_id
    if len(found) == 1:
        claim = Claim(first.attempt, first.fence, first.payload)
        run_claimed(TASKS[first.kind], first.organization_id, first.job_id, claim)
    else:
        run_together(TASKS[first.kind], found)
    return True


def _claim_next(lane: Lane) -> list[ClaimedJob]:
    batches = {name: task.kind.batch for name, task in TASKS.items() if task.kind.batch}
    rows = call_function(
        _CLAIM_NEXT,
        lane=lane.name,
        # A job whose kind only a newer version knows is left to that.
        kinds=list(TASKS),
        batches=list(batches),
        sizes=list(batches.values()),
        leased=[name for name, task in TASKS.items() if task.effect is not None],
        after=_served.get(lane.name, UUID(int=0)),
        worker=worker_name(),
        lease=LEASE_SECONDS,
    )
    return [ClaimedJob(**row) for row in rows]


def _serve(lane: Lane) -> None:
    def wake() -> None:
        run_lane(lane)

    wake.__name__ = lane.name
    wake.__doc__ = f"Run what is due in the lane {lane.name}."
    shared_task(name=lane.task)(wake)


for _lane in LANES.values():
    _serve(_lane)
