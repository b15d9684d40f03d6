"""Delivering webhooks."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import UUID

import structlog
from flask import current_app

from models.db.tenancy import as_system
from tasks.runtime.jobs import job
from webapp.core.mail import compose, deliver
from webapp.core.outages import Outage, Undeliverable
from webapp.core.transaction import in_transaction
from webapp.core.webhook_sender import GONE, post
from webapp.services.webhooks import sending
from webapp.services.webhooks.sending import Letter, Outcome

log = structlog.get_logger(__name__)


def send(letter: Letter) -> None:
    """Send the message, and write down what came of it.

    Raises Outage when it was not taken, and Undeliverable when the receiver is gone for good.
    """
    settings = current_app.config["SETTINGS"]
    reply = post(
        letter.url, letter.body, letter.headers, allow_loopback=settings.webhooks_allow_loopback
    )
    outcome = Outcome(
        reply.milliseconds,
        reply.status,
        reply.excerpt,
        reply.error,
        reply.is_success,
        reply.status == GONE,
    )
    in_transaction(
        as_system(letter.organization_id),
        lambda: sending.record_attempt(letter.delivery_id, outcome),
    )
    if reply.status == GONE:
        raise Undeliverable("The receiver answered 410 Gone.")
    if not reply.is_success:
        raise Outage(f"Webhook: {reply.error or f'the receiver answered {reply.status}.'}")


def give_up(payload: dict[str, Any], reason: str) -> None:
    """The delivery has failed for good."""
    sending.note_failed(UUID(payload["delivery_id"]), reason)


@job("webhooks.deliver", effect=send, undeliverable=give_up)
def deliver_webhook(payload: dict[str, Any]) -> Letter | None:
    """Send one event to one endpoint."""
    if sending.is_resting(UUID(payload["delivery_id"])):
        raise Outage("Webhook: its receiver fails all the time; it waits.")
    return sending.letter_of(UUID(payload["delivery_id"]))


@job("webhooks.mail_disabled", effect=deliver)
def mail_disabled(payload: dict[str, Any]) -> EmailMessage | None:
    """Tell an owner that a webhook was switched off, and why."""
    facts = sending.disabled_facts(UUID(payload["webhook_id"]), UUID(payload["user_id"]))
    if facts is None:
        return None
    return compose(
        "webhook_disabled",
        f"{payload['webhook_id']}.{payload['row_version']}.{payload['user_id']}",
        subject="A webhook was switched off",
        console_url=f"{current_app.config['SETTINGS'].base_url}/console",
        **facts,
    )


@job("webhooks.prune")
def prune(_payload: dict[str, Any]) -> None:
    """Forget the deliveries that ended long ago."""
    count = sending.prune_deliveries()
    if count:
        log.info("rows_pruned", name="webhook_deliveries", count=count)
