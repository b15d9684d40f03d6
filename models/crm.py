"""The firm's clients: companies, the people in them, and the deals made with them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    amount_with_currency,
    at_least,
    at_most,
    currency_form,
    day_index,
    index,
    json_object,
    list_index,
    not_blank,
    purge_index,
    sort_index,
)
from models.states import DEAL


class ClientCompany(Versioned, SoftDeletable, TenantRecord):
    """A company the firm works for."""

    __tablename__ = "client_companies"
    noun = "client_company"
    __table_args__ = (
        not_blank(),
        json_object("custom_fields"),
        list_index("client_companies", live_only=True),
        sort_index("client_companies", "name", live_only=True),
        purge_index("client_companies"),
    )

    name: Mapped[str] = mapped_column(String(255))
    website: Mapped[str | None] = mapped_column(String(2048))
    phone: Mapped[str | None] = mapped_column(String(64))
    tax_number: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    notes: Mapped[str | None]
    custom_fields: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )


class Contact(Versioned, SoftDeletable, TenantRecord):
    """A person on the client's side.

    Find a contact by `email_key`: `lower()` is not leakproof, so a query on `lower(email)`
    could not use an index under row-level security.
    """

    __tablename__ = "contacts"
    noun = "contact"
    __table_args__ = (
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        not_blank("first_name"),
        json_object("custom_fields"),
        index("contacts", "email_key", where="deleted_at IS NULL", unique=True),
        list_index("contacts", live_only=True),
        list_index("contacts", "client_company_id"),
        purge_index("contacts"),
    )

    client_company_id: Mapped[UUID | None]
    first_name: Mapped[str] = mapped_column(String(255))
    last_name: Mapped[str] = mapped_column(String(255), server_default="", default="")
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[str | None] = mapped_column(
        String(254), Computed("lower(email)", persisted=True)
    )
    phone: Mapped[str | None] = mapped_column(String(64))
    title: Mapped[str | None] = mapped_column(String(255))
    custom_fields: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )


class Deal(Versioned, SoftDeletable, TenantRecord):
    """An opportunity on its way to a signature; `closed_at` is when it was won or lost.

    It has been in its stage since `stage_since`; `lost_from` is the stage that it was lost from.
    Its `probability` in percent, where it has one, stands for that of its stage.
    """

    __tablename__ = "deals"
    noun = "deal"
    __table_args__ = (
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        not_blank(),
        DEAL.check(),
        at_least(0, "value"),
        currency_form(),
        amount_with_currency("value"),
        CheckConstraint(
            "(stage IN ('won', 'lost')) = (closed_at IS NOT NULL)", name="closed_if_won_or_lost"
        ),
        at_least(0, "probability"),
        at_most(100, "probability"),
        CheckConstraint(
            "lost_from IN ('lead', 'qualified', 'proposal', 'negotiation')",
            name="lost_from_known",
        ),
        CheckConstraint("lost_from IS NULL OR stage = 'lost'", name="lost_from_if_lost"),
        json_object("custom_fields"),
        list_index("deals", live_only=True),
        list_index("deals", "stage", live_only=True),
        list_index("deals", "owner_id", live_only=True),
        list_index("deals", "currency", live_only=True),
        index("deals", "expected_close_date", where="deleted_at IS NULL"),
        day_index("deals", "expected_close_date", live_only=True),
        sort_index("deals", "stage_since", live_only=True),
        list_index("deals", "client_company_id"),
        list_index("deals", "contact_id"),
        purge_index("deals"),
    )

    name: Mapped[str] = mapped_column(String(255))
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    owner_id: Mapped[str] = mapped_column(String(255))
    stage: Mapped[str] = mapped_column(String(16), server_default="lead", default="lead")
    value: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    stage_since: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    probability: Mapped[int | None]
    expected_close_date: Mapped[dt.date | None]
    lost_reason: Mapped[str | None]
    lost_from: Mapped[str | None] = mapped_column(String(16))
    closed_at: Mapped[dt.datetime | None]
    custom_fields: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )
