"""Keeping conversations up with their messages."""

from __future__ import annotations

from uuid import UUID

from tasks.runtime.jobs import JobRow, batch_job
from webapp.services.conversations.messages import touch_conversations


@batch_job("conversations.touch")
def touch(rows: list[JobRow]) -> None:
    """Recompute the times of the conversations that the jobs name, each once."""
    touch_conversations([UUID(row.payload["conversation_id"]) for row in rows])
