"""Writing the activity log."""

from __future__ import annotations

from tasks.runtime.jobs import JobRow, batch_job
from webapp.services.activity.events import write_events
from webapp.services.engagements.health import ask_for_refresh
from webapp.services.webhooks.sending import announce


@batch_job("activity.record")
def record(rows: list[JobRow]) -> None:
    """Write the events that the jobs ask for, and have webhooks sent of them.

    What happened may tell on an engagement's health.
    """
    written = write_events([row.id for row in rows])
    announce(written.ids)
    ask_for_refresh(written.engagement_ids, occasion=rows[0].id)
