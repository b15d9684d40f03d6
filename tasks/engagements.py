"""Keeping up how engagements fare."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tasks.runtime.jobs import JobRow, batch_job, job
from webapp.services.engagements.health import go_on_after, refresh, sweep


@batch_job("engagements.refresh_health")
def refresh_health(rows: list[JobRow]) -> None:
    """Judge the engagements that the jobs name, each once."""
    refresh([UUID(row.payload["engagement_id"]) for row in rows])


@job("engagements.sweep_health")
def sweep_health(payload: dict[str, Any]) -> None:
    """Judge the organization's engagements, so many at a time; asks for the next ones."""
    last = sweep(UUID(payload["after"]) if "after" in payload else UUID(int=0))
    if last is not None:
        go_on_after(last)
