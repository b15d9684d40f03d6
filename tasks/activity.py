"""The activity log is written behind the changes it tells of."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.base import JobRow, batch_job
from webapp.services.activity import write_events


@batch_job("activity.record", size=500)
def record_activity(jobs: Sequence[JobRow]) -> None:
    """Write the events these jobs ask for."""
    write_events([job.id for job in jobs])
