"""Invoices that became overdue: told once, and reminded of in steps (rulings.md, *Invoices*)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import Invoice
from models.db.base import db
from models.db.tenancy import current_organization_id
from webapp.services.activity.events import record_activity
from webapp.services.common.writes import today
from webapp.services.identity.organization import organization
from webapp.services.jobs.enqueue import enqueue

BATCH = 500


def notice_overdue() -> bool:
    """Tell of the invoices that became overdue, and ask for the reminders that are due.

    Each is told once, and each step of the reminders asked for once, the latest that is due: a
    client who was away is not sent three mails at once. Only an invoice that was sent is reminded
    of. Whether there may be more.
    """
    day, steps = today(), organization()["reminder_days"]
    overdue = db.session.scalars(
        select(Invoice)
        .where(
            Invoice.organization_id == current_organization_id(),
            Invoice.status == "open",
            Invoice.due_date < day,
            Invoice.overdue_told_on.is_(None) | (Invoice.reminders < len(steps)),
        )
        .order_by(Invoice.due_date, Invoice.id)
        .with_for_update(skip_locked=True)
        .limit(BATCH)
    ).all()
    changed = 0
    for invoice in overdue:
        assert invoice.due_date is not None
        days = (day - invoice.due_date).days
        due_steps = sum(step <= days for step in steps)
        if invoice.overdue_told_on is None:
            invoice.overdue_told_on = day
            record_activity(
                invoice, "became_overdue", metadata={"due_date": invoice.due_date.isoformat()}
            )
            changed += 1
        if due_steps > invoice.reminders:
            invoice.reminders = due_steps
            changed += 1
            if invoice.sent_at is not None and (invoice.buyer or {}).get("email"):
                _remind(invoice, due_steps)
    return len(overdue) == BATCH and changed > 0


def _remind(invoice: Invoice, step: int) -> None:
    enqueue(
        "billing.mail_reminder",
        f"{invoice.id}:{step}",
        {"invoice_id": str(invoice.id), "step": step},
        ordering_key=f"mail:invoice:{invoice.id}",
    )


def mail_facts(invoice_id: UUID, *, only_open: bool) -> dict[str, Any] | None:
    """What the mails about an invoice tell; None for a withdrawn one, or one not open any more."""
    invoice = db.session.get(Invoice, (current_organization_id(), invoice_id))
    if invoice is None or invoice.status == "void" or invoice.buyer is None:
        return None
    if only_open and invoice.status != "open":
        return None
    settings = organization()
    return {
        "organization": {"name": settings["name"]},
        "timezone": settings["timezone"],
        "invoice": {
            "number": invoice.number,
            "currency": invoice.currency,
            "total": f"{invoice.total:.2f}",
            "open": f"{invoice.total - invoice.paid - invoice.credited:.2f}",
            "issued_on": invoice.issued_on,
            "due_date": invoice.due_date,
            "days_overdue": max((today() - invoice.due_date).days, 0) if invoice.due_date else 0,
        },
        "buyer": invoice.buyer,
        "bank": (invoice.seller or {}).get("bank"),
    }
