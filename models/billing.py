"""The money record: orders, how they are invoiced, invoices, payments and credit notes.

Amounts are in the currency of their own row. Money records refuse the deletion of what they
stand on (NO ACTION): the purge removes them first, after `financial_retention_years`
(retention.md, *Purge*), and only deleting the whole organization takes everything along.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, Versioned, belongs_to
from models.db.constraints import at_least, currency_form, in_order, index, list_index, not_blank
from models.states import INVOICE, ORDER

SCHEDULE_KINDS = ("once", "monthly", "milestone")


class NumberSeries(TenantRecord):
    """The last number given out in a series, such as one year's invoices.

    Taken by updating the row in the transaction that uses the number, so that a rollback
    leaves no gap.
    """

    __tablename__ = "number_series"
    noun = "number_series"
    __table_args__ = (
        UniqueConstraint("organization_id", "series"),
        not_blank("series"),
        at_least(0, "last"),
    )

    series: Mapped[str] = mapped_column(String(32))
    last: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), default=0)


class Order(Versioned, TenantRecord):
    """What a client bought by signing; at most one for each proposal."""

    __tablename__ = "orders"
    noun = "order"
    __table_args__ = (
        belongs_to("engagement_id", "engagements", ondelete="NO ACTION"),
        belongs_to("proposal_id", "proposals", ondelete="NO ACTION"),
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "number"),
        UniqueConstraint("organization_id", "proposal_id"),
        ORDER.check(),
        at_least(0, "total"),
        currency_form(),
        list_index("orders"),
        list_index("orders", "status"),
        list_index("orders", "engagement_id"),
        list_index("orders", "client_company_id"),
        index("orders", "contact_id"),
    )

    number: Mapped[str] = mapped_column(String(32))
    engagement_id: Mapped[UUID]
    proposal_id: Mapped[UUID | None]
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(16), server_default="unpaid", default="unpaid")
    total: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))


class OrderItem(TenantRecord):
    """One line of an order, with the project that delivers it."""

    __tablename__ = "order_items"
    noun = "order_item"
    __table_args__ = (
        belongs_to("order_id", "orders"),
        belongs_to("proposal_item_id", "proposal_items", ondelete="SET NULL"),
        belongs_to("project_id", "projects", ondelete="SET NULL"),
        belongs_to("service_id", "services", ondelete="SET NULL"),
        not_blank(),
        at_least(0, "price"),
        at_least(1, "quantity"),
        at_least(0, "total"),
        at_least(0, "position"),
        index("order_items", "order_id", "position"),
        index("order_items", "proposal_item_id"),
        index("order_items", "project_id"),
        index("order_items", "service_id"),
    )

    order_id: Mapped[UUID]
    proposal_item_id: Mapped[UUID | None]
    project_id: Mapped[UUID | None]
    service_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    price: Mapped[Decimal]
    quantity: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    total: Mapped[Decimal]


class InvoiceSchedule(Versioned, TenantRecord):
    """When an order is invoiced. `next_period` is the first day of the period due next."""

    __tablename__ = "invoice_schedules"
    noun = "invoice_schedule"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("order_id", "orders", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "order_id"),
        CheckConstraint("kind IN ('once', 'monthly', 'milestone')", name="kind_known"),
        at_least(0, "amount"),
        currency_form(),
        in_order("starts_on", "ends_on"),
        list_index("invoice_schedules"),
        list_index("invoice_schedules", "engagement_id"),
        index("invoice_schedules", "next_period", where="is_active"),
    )

    engagement_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[Decimal]
    starts_on: Mapped[dt.date]
    next_period: Mapped[dt.date | None]
    ends_on: Mapped[dt.date | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)


class Invoice(Versioned, TenantRecord):
    """A demand for money; numbered when it is issued, and at most one for each period.

    `period` names the part of the schedule it covers; `paid` is the sum of its payments.
    """

    __tablename__ = "invoices"
    noun = "invoice"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("order_id", "orders", ondelete="NO ACTION"),
        belongs_to("schedule_id", "invoice_schedules", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "number"),
        UniqueConstraint("organization_id", "schedule_id", "period"),
        INVOICE.check(),
        CheckConstraint(
            "status IN ('draft', 'void') OR num_nulls(number, issued_on, sent_at) = 0",
            name="numbered_once_sent",
        ),
        CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name="paid_at_if_paid"),
        CheckConstraint("(status = 'void') = (voided_at IS NOT NULL)", name="voided_at_if_void"),
        CheckConstraint("(schedule_id IS NULL) = (period IS NULL)", name="period_if_scheduled"),
        at_least(0, "subtotal"),
        at_least(0, "total"),
        at_least(0, "paid"),
        currency_form(),
        in_order("issued_on", "due_date"),
        list_index("invoices"),
        list_index("invoices", "status"),
        list_index("invoices", "engagement_id"),
        index("invoices", "order_id"),
        index("invoices", "due_date", where="status IN ('sent', 'partially_paid')"),
    )

    number: Mapped[str | None] = mapped_column(String(32))
    engagement_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    schedule_id: Mapped[UUID | None]
    period: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), server_default="draft", default="draft")
    currency: Mapped[str] = mapped_column(String(3))
    subtotal: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    total: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    paid: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    issued_on: Mapped[dt.date | None]
    due_date: Mapped[dt.date | None]
    sent_at: Mapped[dt.datetime | None]
    paid_at: Mapped[dt.datetime | None]
    voided_at: Mapped[dt.datetime | None]
    notes: Mapped[str | None]


class InvoiceLine(TenantRecord):
    """One line of an invoice."""

    __tablename__ = "invoice_lines"
    noun = "invoice_line"
    __table_args__ = (
        belongs_to("invoice_id", "invoices"),
        belongs_to("order_item_id", "order_items", ondelete="SET NULL"),
        not_blank(),
        at_least(0, "price"),
        at_least(1, "quantity"),
        at_least(0, "total"),
        at_least(0, "position"),
        index("invoice_lines", "invoice_id", "position"),
        index("invoice_lines", "order_item_id"),
    )

    invoice_id: Mapped[UUID]
    order_item_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    price: Mapped[Decimal]
    quantity: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    total: Mapped[Decimal]


class Payment(TenantRecord):
    """Money received for an invoice; `reference` keeps the same transfer from counting twice."""

    __tablename__ = "payments"
    noun = "payment"
    __table_args__ = (
        belongs_to("invoice_id", "invoices", ondelete="NO ACTION"),
        CheckConstraint("amount > 0", name="amount_positive"),
        currency_form(),
        not_blank("method"),
        index("payments", "reference", where="reference IS NOT NULL", unique=True),
        list_index("payments"),
        list_index("payments", "invoice_id"),
    )

    invoice_id: Mapped[UUID]
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class CreditNote(TenantRecord):
    """What takes back a part or the whole of an issued invoice."""

    __tablename__ = "credit_notes"
    noun = "credit_note"
    __table_args__ = (
        belongs_to("invoice_id", "invoices", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "number"),
        CheckConstraint("amount > 0", name="amount_positive"),
        currency_form(),
        not_blank("reason"),
        list_index("credit_notes"),
        list_index("credit_notes", "invoice_id"),
    )

    invoice_id: Mapped[UUID]
    number: Mapped[str] = mapped_column(String(32))
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str]
    issued_on: Mapped[dt.date]
