"""Contracts: what a client and the organization agreed on, with a proposal or without one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    amount_with_currency,
    at_least,
    currency_form,
    day_index,
    digest_form,
    in_order,
    index,
    json_object,
    list_index,
    not_blank,
    purge_index,
)
from models.states import CONTRACT


class Contract(Versioned, SoftDeletable, TenantRecord):
    """An agreement with a client: a proposal's own, signed with it, or one that stands alone.

    `content` is what the client was shown and signed where it stands alone, as canonical JSON;
    `valid_until` is how long it can be signed after it was sent. `renews_id` names the
    contract whose next term it is. `billing` is how it is invoiced (rulings.md, *Terms*).
    """

    __tablename__ = "contracts"
    noun = "contract"
    __table_args__ = (
        belongs_to("proposal_id", "proposals", ondelete="SET NULL"),
        belongs_to("deal_id", "deals", ondelete="SET NULL"),
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        belongs_to("renews_id", "contracts", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "number"),
        UniqueConstraint("organization_id", "proposal_id"),
        not_blank(),
        CONTRACT.check(),
        at_least(0, "total_value"),
        currency_form(),
        amount_with_currency("total_value"),
        digest_form("content_sha256"),
        json_object("billing"),
        in_order("start_date", "end_date"),
        CheckConstraint(
            "(status = 'signed') = (signed_at IS NOT NULL)", name="signed_at_if_signed"
        ),
        CheckConstraint("status <> 'sent' OR sent_at IS NOT NULL", name="sent_at_if_sent"),
        CheckConstraint(
            "(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_at_if_cancelled"
        ),
        CheckConstraint(
            "status <> 'expired' OR expired_at IS NOT NULL", name="expired_at_if_expired"
        ),
        at_least(0, "notice_days"),
        list_index("contracts", live_only=True),
        list_index("contracts", "status", live_only=True),
        list_index("contracts", "client_company_id"),
        index("contracts", "deal_id"),
        index("contracts", "contact_id"),
        index("contracts", "end_date", where="deleted_at IS NULL"),
        day_index("contracts", "end_date", live_only=True),
        index("contracts", "valid_until", where="status = 'sent'"),
        # A contract has one next term.
        index("contracts", "renews_id", unique=True),
        purge_index("contracts"),
    )

    number: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16), server_default="draft", default="draft")
    proposal_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    body: Mapped[str | None]
    content_sha256: Mapped[str | None] = mapped_column(String(64))
    currency: Mapped[str | None] = mapped_column(String(3))
    total_value: Mapped[Decimal | None]
    start_date: Mapped[dt.date | None]
    end_date: Mapped[dt.date | None]
    auto_renew: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    notice_days: Mapped[int | None] = mapped_column(SmallInteger)
    owner_id: Mapped[str | None] = mapped_column(String(255))
    renews_id: Mapped[UUID | None]
    billing: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    content: Mapped[str | None]
    valid_until: Mapped[dt.datetime | None]
    sent_at: Mapped[dt.datetime | None]
    opened_at: Mapped[dt.datetime | None]
    viewed_at: Mapped[dt.datetime | None]
    signed_at: Mapped[dt.datetime | None]
    expired_at: Mapped[dt.datetime | None]
    cancelled_at: Mapped[dt.datetime | None]
