"""What clients have paid, where it went, and what was taken back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, Numeric, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.billing import TAX_CATEGORY_KNOWN, UNIT_KNOWN
from models.db.base import TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    at_least,
    currency_form,
    digest_form,
    index,
    list_index,
    not_blank,
)


class Payment(Versioned, TenantRecord):
    """Money received from a client; `reference` keeps the same transfer from counting twice.

    `allocated` is what of it settles invoices and `refunded` what went back; the rest is the
    client's credit.
    """

    __tablename__ = "payments"
    noun = "payment"
    __table_args__ = (
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        CheckConstraint("amount > 0", name="amount_positive"),
        at_least(0, "allocated"),
        at_least(0, "refunded"),
        CheckConstraint("allocated + refunded <= amount", name="spent_at_most_once"),
        currency_form(),
        not_blank("method"),
        index("payments", "reference", where="reference IS NOT NULL", unique=True),
        list_index("payments"),
        list_index("payments", "client_company_id"),
        index("payments", "contact_id"),
    )

    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    allocated: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    refunded: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))


class PaymentAllocation(TenantRecord):
    """A part of a payment that settles an invoice; taken back by a negative one. Append-only."""

    __tablename__ = "payment_allocations"
    noun = "payment_allocation"
    __table_args__ = (
        belongs_to("payment_id", "payments"),
        belongs_to("invoice_id", "invoices", ondelete="NO ACTION"),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        index("payment_allocations", "payment_id", "id"),
        index("payment_allocations", "invoice_id", "id"),
    )

    payment_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    amount: Mapped[Decimal]
    allocated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Refund(TenantRecord):
    """Money that went back to the client. Append-only."""

    __tablename__ = "refunds"
    noun = "refund"
    __table_args__ = (
        belongs_to("payment_id", "payments"),
        CheckConstraint("amount > 0", name="amount_positive"),
        not_blank("reason"),
        index("refunds", "payment_id", "id"),
    )

    payment_id: Mapped[UUID]
    amount: Mapped[Decimal]
    reference: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str]
    refunded_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class CreditNote(TenantRecord):
    """What takes back a part or the whole of a final invoice; `amount` is with its tax."""

    __tablename__ = "credit_notes"
    noun = "credit_note"
    __table_args__ = (
        belongs_to("invoice_id", "invoices", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "number"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("amount = subtotal + tax", name="amount_adds_up"),
        at_least(0, "subtotal"),
        at_least(0, "tax"),
        currency_form(),
        not_blank("reason"),
        list_index("credit_notes"),
        list_index("credit_notes", "invoice_id"),
    )

    invoice_id: Mapped[UUID]
    number: Mapped[str] = mapped_column(String(32))
    subtotal: Mapped[Decimal]
    tax: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str]
    issued_on: Mapped[dt.date]


class CreditNoteLine(TenantRecord):
    """One line of a credit note, as those of invoices are."""

    __tablename__ = "credit_note_lines"
    noun = "credit_note_line"
    __table_args__ = (
        belongs_to("credit_note_id", "credit_notes"),
        not_blank(),
        CheckConstraint(UNIT_KNOWN, name="unit_known"),
        CheckConstraint(TAX_CATEGORY_KNOWN, name="tax_category_known"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        at_least(0, "price"),
        at_least(0, "discount"),
        at_least(0, "tax_rate"),
        at_least(0, "total"),
        at_least(0, "position"),
        index("credit_note_lines", "credit_note_id", "position"),
    )

    credit_note_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    name: Mapped[str] = mapped_column(String(255))
    quantity: Mapped[Decimal] = mapped_column(
        Numeric(12, 3), server_default=text("1"), default=Decimal(1)
    )
    unit: Mapped[str] = mapped_column(String(16), server_default="piece", default="piece")
    price: Mapped[Decimal]
    discount: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    tax_rate: Mapped[Decimal] = mapped_column(
        Numeric(5, 2), server_default=text("0"), default=Decimal(0)
    )
    tax_category: Mapped[str] = mapped_column(String(16), server_default="zero", default="zero")
    total: Mapped[Decimal]


class BillingDocument(TenantRecord):
    """The PDF of a final invoice or of a credit note, as it was made once. Append-only.

    `xml` is its e-invoice, which the PDF carries too.
    """

    __tablename__ = "billing_documents"
    noun = "billing_document"
    __table_args__ = (
        belongs_to("invoice_id", "invoices", ondelete="NO ACTION"),
        belongs_to("credit_note_id", "credit_notes"),
        CheckConstraint("num_nonnulls(invoice_id, credit_note_id) = 1", name="of_one"),
        UniqueConstraint("organization_id", "invoice_id"),
        UniqueConstraint("organization_id", "credit_note_id"),
        digest_form("sha256"),
        at_least(1, "size"),
    )

    invoice_id: Mapped[UUID | None]
    credit_note_id: Mapped[UUID | None]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int]
    xml: Mapped[bytes | None] = mapped_column(LargeBinary)
