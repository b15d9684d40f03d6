"""Writing the activity log."""

from __future__ import annotations

from tasks.runtime.jobs import JobRow, batch_job
from webapp.services.activity.events import write_events


@batch_job("activity.record")
def record(rows: list[JobRow]) -> None:
    """Write the events that the jobs ask for."""
    write_events([row.id for row in rows])
