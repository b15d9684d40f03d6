"""Keeping up how engagements fare."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import UUID

from flask import current_app

from tasks.runtime.jobs import JobRow, batch_job, job
from webapp.core.mail import compose, deliver
from webapp.services.engagements.health import look_at_all, refresh, sweep
from webapp.services.engagements.owners import owner_facts


@batch_job("engagements.refresh_health")
def refresh_health(rows: list[JobRow]) -> None:
    """Judge the engagements that the jobs name, each once."""
    refresh([UUID(row.payload["engagement_id"]) for row in rows])


@job("engagements.mail_owner", effect=deliver)
def mail_owner(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell one of the two owners that the engagement became another's."""
    facts = owner_facts(payload)
    if facts is None:
        return None
    key = f"{payload['engagement_id']}.{payload['row_version']}.{payload['told']}"
    return compose(
        "engagement_owner",
        key,
        subject=f"New owner: {facts['engagement']['name']}",
        console_url=f"{current_app.config['SETTINGS'].base_url}/console",
        **facts,
    )


@job("engagements.sweep_health")
def sweep_health(payload: dict[str, Any]) -> None:
    """Judge what time may have changed; or all, once an organization counts otherwise."""
    if payload.get("all"):
        look_at_all()
    while sweep():
        pass
