"""Payment links: one living page of Stripe's for an invoice's open amount.

Prepared in one transaction, made at Stripe after it, and noted in another: no transaction waits
for Stripe. The rules: rulings.md, *Online payment*.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select

from models.billing import Invoice
from models.db.base import db
from models.db.queries import CompiledQuery, Row, bound
from models.online_payments import CheckoutSession
from webapp.services.activity.events import record_activity
from webapp.services.billing.minor_units import to_minor
from webapp.services.billing.settlement import demand_final, open_of
from webapp.services.common.exceptions import Conflict, NotFound
from webapp.services.common.reads import RecordQuery
from webapp.services.common.writes import create, lock, now, touch
from webapp.services.identity.organization import organization
from webapp.services.jobs.enqueue import enqueue

CHECKOUT_SESSIONS = RecordQuery(
    CheckoutSession,
    domain="billing",
    noun="checkout session",
    extra={
        "number": select(Invoice.number)
        .where(
            Invoice.organization_id == CheckoutSession.organization_id,
            Invoice.id == CheckoutSession.invoice_id,
        )
        .correlate(CheckoutSession)
        .scalar_subquery(),
        "email": select(Invoice.buyer["email"].astext)
        .where(
            Invoice.organization_id == CheckoutSession.organization_id,
            Invoice.id == CheckoutSession.invoice_id,
        )
        .correlate(CheckoutSession)
        .scalar_subquery(),
    },
)
# A link that is about to end is of no use to whoever gets it.
LEFT_AT_LEAST = dt.timedelta(minutes=30)
# Stripe knows an idempotency key for 24 hours; after that the same request makes another page.
KEY_LIFETIME = dt.timedelta(hours=23)


def prepare_link(invoice_id: UUID) -> UUID:
    """The id of the invoice's living session, or of a new one that is to be made at Stripe.

    A session for another amount than what is open is replaced. Raises NotFound, and Conflict when
    nothing is open, a payment is under way, or the amount cannot be paid online.
    """
    invoice = lock(Invoice, invoice_id)
    amount = _payable(invoice)
    to_minor(amount, invoice.currency)
    session = db.session.scalars(
        select(CheckoutSession)
        .where(
            CheckoutSession.organization_id == invoice.organization_id,
            CheckoutSession.invoice_id == invoice.id,
            or_(*(CheckoutSession.status == each for each in ("creating", "open", "processing"))),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if session is not None:
        if session.status == "processing":
            raise Conflict("A payment of this invoice is under way; its bank takes some days.")
        if session.amount == amount and _lives(session):
            return session.id
        _end(session, "replaced" if session.amount != amount else "expired")
    made = create(
        CheckoutSession(invoice_id=invoice.id, amount=amount, currency=invoice.currency),
        engagement_id=invoice.engagement_id,
        metadata={"invoice": invoice.number, "amount": str(amount), "currency": invoice.currency},
    )
    return made.id


def link_made(
    session_id: UUID, *, stripe_session_id: str, url: str, expires_at: dt.datetime
) -> None:
    """Note the page that Stripe has made; not over what a webhook has told meanwhile."""
    session = lock(CheckoutSession, session_id)
    if session.status == "creating":
        session.status = "open"
        session.stripe_session_id = stripe_session_id
        session.url = url
        session.expires_at = expires_at
        touch(session)


def link_refused(session_id: UUID) -> None:
    """Note that Stripe will not make this page, so that the next try is another one."""
    session = lock(CheckoutSession, session_id)
    if session.status == "creating":
        session.status = "failed"
        touch(session)


def session_to_expire(session_id: UUID) -> str | None:
    """Stripe's id of a replaced session that can still be paid; None for any other."""
    row = _SESSION.one(id=session_id)
    if row is None or row["status"] != "replaced":
        return None
    found: str | None = row["stripe_session_id"]
    return found


def transfer_instead(invoice_id: UUID) -> Conflict:
    """Why there is no link, and how the client can pay all the same. Raises NotFound, Conflict."""
    row = _INVOICE.one(id=invoice_id)
    if row is None:
        raise NotFound("There is no invoice with this id.")
    bank: dict[str, Any] = organization()["bank"] or {}
    text = "Online payment is not set up."
    if bank.get("iban"):
        to = f" to {bank['iban']}" + (f" ({bank['holder']})" if bank.get("holder") else "")
        about = f", naming {row['number']}" if row["number"] else ""
        text += f" The client can transfer {row['open']} {row['currency']}{to}{about}."
    else:
        text += " Set the organization's bank account, so that invoices name it."
    return Conflict(text)


_SESSION = CompiledQuery.of(
    select(CheckoutSession.status, CheckoutSession.stripe_session_id).where(
        CheckoutSession.id == bound("id", CheckoutSession.id.type)
    )
)
_INVOICE = CompiledQuery.of(
    select(
        Invoice.number,
        Invoice.currency,
        (Invoice.total - Invoice.paid - Invoice.credited).label("open"),
    ).where(Invoice.id == bound("id", Invoice.id.type))
)


def checkout_session(session_id: UUID) -> Row:
    """The session as it is. Raises NotFound."""
    return CHECKOUT_SESSIONS.get(session_id)


def _payable(invoice: Invoice) -> Decimal:
    demand_final(invoice)
    amount = open_of(invoice)
    if amount <= 0:
        raise Conflict("Nothing is open of this invoice.")
    return amount


def _lives(session: CheckoutSession) -> bool:
    if session.status == "creating":
        return session.created_at > now() - KEY_LIFETIME
    return session.expires_at is not None and session.expires_at > now() + LEFT_AT_LEAST


def _end(session: CheckoutSession, status: str) -> None:
    """Take the session out of use; Stripe is asked to close a page that can still be paid."""
    session.status = status
    touch(session)
    record_activity(session, status)
    db.session.flush()  # the next one takes its place in the unique index
    if status == "replaced" and session.stripe_session_id is not None:
        enqueue("billing.expire_checkout", session.id, {"checkout_session_id": str(session.id)})
