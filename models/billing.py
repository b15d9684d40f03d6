"""The money record: orders, how they are invoiced, and invoices.

What is paid and taken back is in `models/payments.py`.

Amounts are in the currency of their own row. Money records refuse the deletion of what they
stand on (NO ACTION): the purge removes them first, after `financial_retention_years`
(retention.md, *Purge*), and only deleting the whole organization takes everything along.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    at_least,
    at_most,
    currency_form,
    day_index,
    in_order,
    index,
    json_array,
    list_index,
    not_blank,
    tax_of_item,
)
from models.states import INVOICE, ORDER

SCHEDULE_KINDS = (
    "once", "deposit", "milestones", "monthly", "quarterly", "yearly", "retainer",
)  # fmt: skip
RECURRING_KINDS = ("monthly", "quarterly", "yearly", "retainer")
# What a line's net amount is taxed as (EN 16931, *VAT category code*).
TAX_CATEGORIES = ("standard", "reduced", "zero", "exempt", "reverse_charge")
TAX_CATEGORY_KNOWN = "tax_category IN ('standard', 'reduced', 'zero', 'exempt', 'reverse_charge')"
# What a quantity counts.
UNITS = ("piece", "hour", "day", "month", "kilometre", "flat")
UNIT_KNOWN = "unit IN ('piece', 'hour', 'day', 'month', 'kilometre', 'flat')"


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
    """What a client bought, by signing (at most one for each proposal) or written down by hand.

    `total` is net: what its items come to, less the discount.
    """

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
        at_least(0, "discount"),
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
    discount: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
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
        *tax_of_item(),
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
    tax_category: Mapped[str | None] = mapped_column(String(16))
    tax_rate: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    total: Mapped[Decimal]


class InvoiceSchedule(Versioned, TenantRecord):
    """When an engagement is invoiced. `next_period` is the day on which the next invoice is due to
    be drafted, and names the period it covers; without one there is none left.

    `amount` is net: of the whole for kinds that end by themselves, of each period for the others.
    `total` is what all its periods come to, where a whole is billed in periods. `shares` are the
    parts of a deposit or of milestones: name, percent, day. One that is not active is paused, or
    has ended (`ended_at`).
    """

    __tablename__ = "invoice_schedules"
    noun = "invoice_schedule"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("order_id", "orders", ondelete="NO ACTION"),
        UniqueConstraint("organization_id", "order_id"),
        CheckConstraint(
            "kind IN ('once', 'deposit', 'milestones', 'monthly', 'quarterly', 'yearly',"
            " 'retainer')",
            name="kind_known",
        ),
        CheckConstraint("ended_at IS NULL OR NOT is_active", name="ended_is_not_active"),
        CheckConstraint("(kind = 'retainer') = (hours IS NOT NULL)", name="hours_of_retainer"),
        CheckConstraint("hours > 0", name="hours_positive"),
        not_blank(),
        json_array("shares"),
        at_least(0, "amount"),
        at_least(0, "total"),
        CheckConstraint("total IS NULL OR ends_on IS NOT NULL", name="whole_ends"),
        currency_form(),
        in_order("starts_on", "ends_on"),
        list_index("invoice_schedules"),
        list_index("invoice_schedules", "engagement_id"),
        index("invoice_schedules", "next_period", where="is_active"),
    )

    engagement_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(255), server_default="Services", default="Services")
    kind: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[Decimal]
    total: Mapped[Decimal | None]
    starts_on: Mapped[dt.date]
    next_period: Mapped[dt.date | None]
    ends_on: Mapped[dt.date | None]
    shares: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    hours: Mapped[Decimal | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    ended_at: Mapped[dt.datetime | None]


class Invoice(Versioned, TenantRecord):
    """A demand for money: a draft until it is finalized, which numbers it and makes it final.

    `period` names the part of the schedule it covers; what it bills was done from `service_from`
    until `service_until`, or else on the day of issue. A late fee names the overdue invoice that it
    is for (`late_fee_of`), which counts the periods charged so far (`late_fees`). `paid` is what
    payments and `credited` what credit notes have taken off its total; what is left is open.
    `seller` and `buyer` are the two parties as they were when it was finalized, `tax_groups` its
    tax by category and rate.
    """

    __tablename__ = "invoices"
    noun = "invoice"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        belongs_to("order_id", "orders", ondelete="NO ACTION"),
        belongs_to("schedule_id", "invoice_schedules", ondelete="NO ACTION"),
        belongs_to("late_fee_of", "invoices", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "number"),
        UniqueConstraint("organization_id", "schedule_id", "period"),
        INVOICE.check(),
        CheckConstraint(
            "status IN ('draft', 'void') OR"
            " num_nulls(number, issued_on, due_date, seller, buyer) = 0",
            name="numbered_once_final",
        ),
        CheckConstraint("status <> 'draft' OR number IS NULL", name="no_number_in_draft"),
        CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name="paid_at_if_paid"),
        CheckConstraint("(status = 'void') = (voided_at IS NOT NULL)", name="voided_at_if_void"),
        CheckConstraint(
            "status <> 'uncollectible' OR written_off_at IS NOT NULL", name="written_off_at_if_so"
        ),
        CheckConstraint("(schedule_id IS NULL) = (period IS NULL)", name="period_if_scheduled"),
        CheckConstraint("total = subtotal + tax", name="total_adds_up"),
        CheckConstraint("paid + credited <= total", name="settled_at_most_in_full"),
        CheckConstraint("status <> 'paid' OR paid + credited = total", name="paid_in_full"),
        CheckConstraint("status <> 'open' OR paid + credited < total", name="open_if_not_settled"),
        CheckConstraint(
            "status NOT IN ('draft', 'void') OR paid + credited = 0", name="nothing_paid_before"
        ),
        at_least(0, "subtotal"),
        at_least(0, "tax"),
        at_least(0, "total"),
        at_least(0, "paid"),
        at_least(0, "credited"),
        at_least(0, "late_fees"),
        currency_form(),
        in_order("issued_on", "due_date"),
        in_order("service_from", "service_until"),
        json_array("tax_groups"),
        list_index("invoices"),
        list_index("invoices", "status"),
        list_index("invoices", "engagement_id"),
        list_index("invoices", "client_company_id"),
        index("invoices", "order_id"),
        index("invoices", "contact_id"),
        index("invoices", "late_fee_of"),
        index("invoices", "due_date", where="status = 'open'"),
        day_index("invoices", "due_date"),
    )

    number: Mapped[str | None] = mapped_column(String(32))
    engagement_id: Mapped[UUID]
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    schedule_id: Mapped[UUID | None]
    period: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), server_default="draft", default="draft")
    currency: Mapped[str] = mapped_column(String(3))
    subtotal: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    tax: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    total: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    paid: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    credited: Mapped[Decimal] = mapped_column(server_default=text("0"), default=Decimal(0))
    tax_groups: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    seller: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    buyer: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    issued_on: Mapped[dt.date | None]
    due_date: Mapped[dt.date | None]
    service_from: Mapped[dt.date | None]
    service_until: Mapped[dt.date | None]
    sent_at: Mapped[dt.datetime | None]
    viewed_at: Mapped[dt.datetime | None]
    paid_at: Mapped[dt.datetime | None]
    voided_at: Mapped[dt.datetime | None]
    written_off_at: Mapped[dt.datetime | None]
    write_off_reason: Mapped[str | None]
    # The day on which beat told that it is overdue, and how many reminders it has asked for.
    overdue_told_on: Mapped[dt.date | None]
    reminders: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    late_fee_of: Mapped[UUID | None]
    late_fees: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    notes: Mapped[str | None]
    tax_exemption_reason: Mapped[str | None]


class InvoiceLine(TenantRecord):
    """One line of an invoice; `total` is net: quantity times price, less the discount."""

    __tablename__ = "invoice_lines"
    noun = "invoice_line"
    __table_args__ = (
        belongs_to("invoice_id", "invoices"),
        belongs_to("order_item_id", "order_items", ondelete="SET NULL"),
        not_blank(),
        CheckConstraint(UNIT_KNOWN, name="unit_known"),
        CheckConstraint(TAX_CATEGORY_KNOWN, name="tax_category_known"),
        at_least(0, "price"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        at_least(0, "discount"),
        at_least(0, "tax_rate"),
        at_most(100, "tax_rate"),
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
