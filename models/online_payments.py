"""Online payment: the pages where clients pay, and what the provider told of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, Versioned, belongs_to
from models.db.constraints import at_least, currency_form, index, json_object, not_blank

CHECKOUT_STATES = ("creating", "open", "processing", "paid", "failed", "expired", "replaced")
# An invoice has one of these at a time.
LIVING = "status IN ('creating', 'open', 'processing')"


class CheckoutSession(Versioned, TenantRecord):
    """A page of Stripe's where an invoice's open amount is paid; `url` leads to it.

    It is creating until Stripe has made it, and processing while a debit is under way. Its id is
    the idempotency key at Stripe. `refunded` is what Stripe has given back of it.
    """

    __tablename__ = "checkout_sessions"
    noun = "checkout_session"
    __table_args__ = (
        belongs_to("invoice_id", "invoices"),
        belongs_to("payment_id", "payments", ondelete="SET NULL"),
        CheckConstraint(
            "status IN ('creating', 'open', 'processing', 'paid', 'failed', 'expired', 'replaced')",
            name="status_known",
        ),
        CheckConstraint(
            "status <> 'open' OR num_nulls(stripe_session_id, url, expires_at) = 0",
            name="made_if_open",
        ),
        CheckConstraint("payment_id IS NULL OR status = 'paid'", name="payment_if_paid"),
        CheckConstraint("amount > 0", name="amount_positive"),
        at_least(0, "refunded"),
        currency_form(),
        index("checkout_sessions", "invoice_id", "created_at"),
        index("checkout_sessions", "payment_id"),
        index("checkout_sessions", "invoice_id", where=LIVING, unique=True),
        index(
            "checkout_sessions",
            "stripe_session_id",
            where="stripe_session_id IS NOT NULL",
            unique=True,
        ),
    )

    invoice_id: Mapped[UUID]
    payment_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(16), server_default="creating", default="creating")
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    stripe_session_id: Mapped[str | None] = mapped_column(String(255))
    url: Mapped[str | None]
    expires_at: Mapped[dt.datetime | None]
    refunded: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))


class PaymentEvent(TenantRecord):
    """A webhook of Stripe's about a session, kept before it is acknowledged; `facts` is what of it
    counts. `outcome` says what was made of it, once its job has run."""

    __tablename__ = "payment_events"
    noun = "payment_event"
    __table_args__ = (
        belongs_to("checkout_session_id", "checkout_sessions"),
        UniqueConstraint("organization_id", "event_id"),
        not_blank("event_id"),
        json_object("facts"),
        CheckConstraint(
            "(outcome IS NULL) = (processed_at IS NULL)", name="outcome_once_processed"
        ),
        index("payment_events", "checkout_session_id"),
    )

    checkout_session_id: Mapped[UUID]
    event_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    outcome: Mapped[str | None] = mapped_column(String(32))
    processed_at: Mapped[dt.datetime | None]
