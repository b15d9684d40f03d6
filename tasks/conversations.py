"""Keeping conversations up with their messages, and telling those who are mentioned."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import UUID

from flask import current_app

from tasks.runtime.jobs import JobRow, batch_job, job
from webapp.core.mail import compose, deliver
from webapp.services.conversations.mentions import mention_facts
from webapp.services.conversations.messages import touch_conversations


@batch_job("conversations.touch")
def touch(rows: list[JobRow]) -> None:
    """Recompute the times of the conversations that the jobs name, each once."""
    touch_conversations([UUID(row.payload["conversation_id"]) for row in rows])


@job("conversations.mail_mention", effect=deliver)
def mail_mention(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell a member that somebody has named them in a message."""
    facts = mention_facts(payload)
    if facts is None:
        return None
    return compose(
        "mention",
        f"{payload['message_id']}.{payload['user_id']}",
        subject=f"{facts['sender']} mentioned you: {facts['conversation']['subject']}",
        console_url=f"{current_app.config['SETTINGS'].base_url}/console",
        **facts,
    )
