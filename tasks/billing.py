"""What invoices leave to be done: their documents, mails and reminders."""

from __future__ import annotations

from collections import Counter
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import structlog
from flask import current_app

from models.db.tenancy import current_organization_id
from tasks.runtime.jobs import JobRow, batch_job, job
from webapp.config import Settings
from webapp.core.checkout import expire_page
from webapp.core.mail import compose, deliver
from webapp.services.billing import (
    audit,
    documents,
    late_fees,
    payment_events,
    payment_links,
    reminders,
    schedules,
)

log = structlog.get_logger(__name__)


@batch_job("billing.render_document")
def render_documents(rows: list[JobRow]) -> None:
    """Render the PDFs of invoices and credit notes, and keep them."""
    documents.render_documents([row.payload for row in rows])


@job("billing.mail_invoice", effect=deliver)
def mail_invoice(payload: dict[str, Any]) -> EmailMessage | None:
    """Send the client the invoice with its PDF."""
    invoice_id = UUID(payload["invoice_id"])
    facts = reminders.mail_facts(invoice_id, only_open=False)
    if facts is None:
        return None
    _have_rendered(invoice_id)
    number = facts["invoice"]["number"]
    message = compose(
        "invoice",
        f"{invoice_id}.{payload.get('mailing', 1)}",
        to=_buyer(facts),
        subject=f"Invoice {number} from {facts['organization']['name']}",
        **facts,
    )
    return _with_document(message, invoice_id, number)


@job("billing.mail_reminder", effect=deliver)
def mail_reminder(payload: dict[str, Any]) -> EmailMessage | None:
    """Remind the client of an invoice that is overdue; not when it was settled meanwhile."""
    invoice_id = UUID(payload["invoice_id"])
    facts = reminders.mail_facts(invoice_id, only_open=True)
    if facts is None:
        return None
    _have_rendered(invoice_id)
    number = facts["invoice"]["number"]
    message = compose(
        "invoice_reminder",
        f"{invoice_id}.reminder.{payload['step']}",
        to=_buyer(facts),
        subject=f"Reminder: invoice {number} from {facts['organization']['name']}",
        **facts,
    )
    return _with_document(message, invoice_id, number)


@job("billing.notice_overdue")
def notice_overdue(_payload: dict[str, Any]) -> None:
    """Tell of invoices that became overdue, ask for the reminders and draft the fees due."""
    while reminders.notice_overdue():
        pass
    while late_fees.draft_late_fees():
        pass


@job("billing.carry_out_payment_event")
def carry_out_payment_event(payload: dict[str, Any]) -> None:
    """Make of an event of the payment provider's what it means."""
    payment_events.carry_out_event(UUID(payload["payment_event_id"]))


def _close_page(stripe_session_id: str) -> None:
    settings: Settings = current_app.config["SETTINGS"]
    if settings.stripe_api_key is not None:
        expire_page(settings, stripe_session_id)


@job("billing.expire_checkout", effect=_close_page)
def expire_checkout(payload: dict[str, Any]) -> str | None:
    """Close the page of a payment link that was replaced."""
    return payment_links.session_to_expire(UUID(payload["checkout_session_id"]))


@job("billing.audit_money")
def audit_money(_payload: dict[str, Any]) -> None:
    """Look up what must always be true of the money; what is not is warned of in the log."""
    for kind, count in Counter(fault.kind for fault in audit.audit_money()).items():
        log.warning(
            "money_fault", name=kind, count=count, organization_id=str(current_organization_id())
        )


def _have_rendered(invoice_id: UUID) -> None:
    """By now the document is there; if not, this mail has it made."""
    documents.render_documents([{"invoice_id": str(invoice_id)}])


@job("billing.draft_due_invoices")
def draft_due_invoices(_payload: dict[str, Any]) -> None:
    """Draft the invoices of schedules whose day has come."""
    while schedules.draft_due_invoices():
        pass


def _with_document(message: EmailMessage, invoice_id: UUID, number: str) -> EmailMessage:
    content = bytes(documents.invoice_document(invoice_id)["content"])
    name = f"{number.replace('/', '-')}.pdf"
    message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return message


def _buyer(facts: dict[str, Any]) -> tuple[str, str]:
    buyer = facts["buyer"]
    return buyer["contact"] or buyer["name"], buyer["email"]
