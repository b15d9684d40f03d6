"""What Stripe tells of its pages: kept with the job that makes a payment of it.

An event is known by its id, a payment by its session, so that neither repeating nor reordering
counts anything twice (rulings.md, *Online payment*).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select

from models.billing import Invoice
from models.db.base import db, uuid7
from models.db.queries import CompiledQuery, bound, execute
from models.db.tenancy import current_organization_id
from models.online_payments import CheckoutSession, PaymentEvent
from models.payments import Payment
from webapp.services.activity.events import record_activity
from webapp.services.billing.minor_units import from_minor, to_minor
from webapp.services.billing.settlement import keep_as_credit, pay_invoice, refund_payment
from webapp.services.common.writes import lock, now, touch
from webapp.services.jobs.enqueue import enqueue

COMPLETED = "checkout.session.completed"
SUCCEEDED = "checkout.session.async_payment_succeeded"
FAILED = "checkout.session.async_payment_failed"
EXPIRED = "checkout.session.expired"
REFUNDED = "charge.refunded"
KNOWN_TYPES = (COMPLETED, SUCCEEDED, FAILED, EXPIRED, REFUNDED)


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """A webhook whose signature fits: which session it names, and what of it counts.

    `facts` has `payment_intent`, `amount` in smallest units, `currency` in small letters, and
    `occurred` in seconds; of a session also its id at Stripe (`session`) and `payment_status`.
    """

    event_id: str
    type: str
    organization_id: UUID
    invoice_id: UUID
    session_id: UUID
    facts: Mapping[str, Any]


def keep_event(event: ReceivedEvent) -> bool:
    """Keep the event and ask for its job, in one transaction; False when it is not ours or known.

    The metadata says which session it is about; the session's own row says whether that is true.
    """
    session = _SESSION.one(id=event.session_id)
    if session is None or session["invoice_id"] != event.invoice_id:
        return False
    told = event.facts.get("session")
    if told is not None and session["stripe_session_id"] not in (None, told):
        return False
    values = {
        "organization_id": current_organization_id(),
        "id": uuid7(),
        "checkout_session_id": event.session_id,
        "event_id": event.event_id,
        "type": event.type,
        "facts": orjson.dumps(dict(event.facts)).decode(),
    }
    rows = execute(_KEEP, values)
    for row in rows:
        payload = {"payment_event_id": str(row["id"])}
        enqueue("billing.carry_out_payment_event", row["id"], payload)
    return bool(rows)


def carry_out_event(event_id: UUID) -> None:
    """Make of a kept event what it means: a payment, a failed or expired session, a refund."""
    event = lock(PaymentEvent, event_id)
    if event.processed_at is not None:
        return
    found = _SESSION.one(id=event.checkout_session_id)
    assert found is not None  # events go with their session
    invoice = lock(Invoice, found["invoice_id"])
    session = lock(CheckoutSession, event.checkout_session_id)
    event.outcome = _carry_out(event, session, invoice)
    event.processed_at = now()


def _carry_out(event: PaymentEvent, session: CheckoutSession, invoice: Invoice) -> str:
    if event.type == REFUNDED:
        return _refunded(session, event.facts)
    if event.type == SUCCEEDED or (event.type == COMPLETED and _is_paid(event.facts)):
        return _paid(session, invoice, event.facts)
    # What is told late takes nothing back: a payment stays one.
    if event.type == COMPLETED:
        return _move(session, invoice, "processing", among=("creating", "open"), facts=event.facts)
    if event.type == FAILED:
        return _move(session, invoice, "failed", among=("creating", "open", "processing"))
    return _move(session, invoice, "expired", among=("creating", "open"))


def _is_paid(facts: Mapping[str, Any]) -> bool:
    return facts.get("payment_status") in ("paid", "no_payment_required")


def _paid(session: CheckoutSession, invoice: Invoice, facts: Mapping[str, Any]) -> str:
    """Record the payment, once: what the invoice does not take is the client's credit."""
    if session.status == "paid":
        return "known"
    amount = to_minor(session.amount, session.currency)
    if (facts.get("amount"), facts.get("currency")) != (amount, session.currency.lower()):
        touch(session)
        record_activity(session, "payment_mismatch", engagement_id=invoice.engagement_id)
        return "mismatch"
    reference = facts.get("payment_intent") or facts["session"]
    known = db.session.scalars(
        select(Payment).where(
            Payment.organization_id == session.organization_id, Payment.reference == reference
        )
    ).one_or_none()
    values = {
        "amount": session.amount,
        "method": "online",
        "reference": reference,
        "received_at": _occurred(facts),
    }
    if known is not None:  # somebody was faster, by hand
        payment = known
    elif invoice.status in ("draft", "void"):
        payment = keep_as_credit(values, invoice)
    else:
        payment = pay_invoice({**values, "keep_excess": True}, invoice.id)
    session.status = "paid"
    session.payment_id = payment.id
    session.stripe_session_id = session.stripe_session_id or facts.get("session")
    touch(session)
    record_activity(session, "paid", engagement_id=invoice.engagement_id)
    _follow_refunds(session)
    return "recorded" if known is None else "known"


def _move(
    session: CheckoutSession,
    invoice: Invoice,
    status: str,
    *,
    among: tuple[str, ...],
    facts: Mapping[str, Any] | None = None,
) -> str:
    if session.status not in among:
        return "late"
    session.status = status
    if facts is not None:
        session.stripe_session_id = session.stripe_session_id or facts.get("session")
    touch(session)
    record_activity(session, status, engagement_id=invoice.engagement_id)
    return "noted"


def _refunded(session: CheckoutSession, facts: Mapping[str, Any]) -> str:
    """Note how much Stripe has given back in all; an older event tells of less."""
    if facts.get("currency") != session.currency.lower():
        return "mismatch"
    given_back = from_minor(facts["amount"], session.currency)
    if given_back <= session.refunded:
        return "late"
    session.refunded = given_back
    touch(session)
    record_activity(session, "refunded", metadata={"amount": str(given_back)})
    _follow_refunds(session)
    return "noted"


def _follow_refunds(session: CheckoutSession) -> None:
    """Let the payment have gone back as far as Stripe says; what was recorded by hand counts."""
    if session.payment_id is None:
        return
    payment = lock(Payment, session.payment_id)
    missing = min(session.refunded, payment.amount) - payment.refunded
    if missing > Decimal(0):
        refund_payment({"amount": missing, "reason": "Refunded at Stripe."}, payment.id)


def _occurred(facts: Mapping[str, Any]) -> dt.datetime:
    told = facts.get("occurred")
    if not isinstance(told, int):
        return now()
    return min(dt.datetime.fromtimestamp(told, dt.UTC), now())


_SESSION = CompiledQuery.of(
    select(CheckoutSession.invoice_id, CheckoutSession.stripe_session_id).where(
        CheckoutSession.id == bound("id", CheckoutSession.id.type)
    )
)
_KEEP = """
    INSERT INTO payment_events
        (organization_id, id, checkout_session_id, event_id, type, facts)
    VALUES (%(organization_id)s, %(id)s, %(checkout_session_id)s, %(event_id)s, %(type)s,
            %(facts)s::jsonb)
    ON CONFLICT (organization_id, event_id) DO NOTHING
    RETURNING id"""
