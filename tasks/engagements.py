"""Keeping up how engagements fare."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tasks.runtime.jobs import JobRow, batch_job, job
from webapp.services.engagements.health import look_at_all, refresh, sweep


@batch_job("engagements.refresh_health")
def refresh_health(rows: list[JobRow]) -> None:
    """Judge the engagements that the jobs name, each once."""
    refresh([UUID(row.payload["engagement_id"]) for row in rows])


@job("engagements.sweep_health")
def sweep_health(payload: dict[str, Any]) -> None:
    """Judge what time may have changed; or all, once an organization counts otherwise."""
    if payload.get("all"):
        look_at_all()
    while sweep():
        pass
