"""Bank statements: what the bank says came in and went out, and what was made of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    at_least,
    currency_form,
    digest_form,
    index,
    list_index,
)
from models.states import BANK_ENTRY

STATEMENT_FORMATS = ("camt.053", "csv")
DIRECTIONS = ("credit", "debit")


class BankStatement(TenantRecord):
    """One file of a bank, imported; `entries` were in it, and `added` of them were new.

    `sha256` is the file's, so that the same file is one statement.
    """

    __tablename__ = "bank_statements"
    noun = "bank_statement"
    __table_args__ = (
        UniqueConstraint("organization_id", "sha256"),
        CheckConstraint("format IN ('camt.053', 'csv')", name="format_known"),
        digest_form("sha256"),
        at_least(0, "added"),
        CheckConstraint("entries >= added", name="added_of_entries"),
        list_index("bank_statements"),
    )

    format: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    account: Mapped[str | None] = mapped_column(String(64))
    entries: Mapped[int] = mapped_column(SmallInteger)
    added: Mapped[int] = mapped_column(SmallInteger)


class BankEntry(Versioned, TenantRecord):
    """One movement on an account. A credit waits until it is accepted as a payment or dismissed.

    `digest` says which movement it is, so that overlapping statements add it once. `reference`
    is what the payment made of it is called: the bank's own where it gives one.
    """

    __tablename__ = "bank_entries"
    noun = "bank_entry"
    __table_args__ = (
        belongs_to("bank_statement_id", "bank_statements"),
        belongs_to("payment_id", "payments", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "digest"),
        BANK_ENTRY.check(),
        CheckConstraint("direction IN ('credit', 'debit')", name="direction_known"),
        CheckConstraint("direction = 'credit' OR status = 'dismissed'", name="only_credits_wait"),
        CheckConstraint("payment_id IS NULL OR status = 'accepted'", name="payment_if_accepted"),
        CheckConstraint("amount > 0", name="amount_positive"),
        currency_form(),
        digest_form("digest"),
        list_index("bank_entries"),
        list_index("bank_entries", "status"),
        list_index("bank_entries", "bank_statement_id"),
        index("bank_entries", "payment_id"),
    )

    bank_statement_id: Mapped[UUID]
    payment_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(16), server_default="pending", default="pending")
    direction: Mapped[str] = mapped_column(String(8))
    amount: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    booked_on: Mapped[dt.date]
    account: Mapped[str | None] = mapped_column(String(64))
    counterparty: Mapped[str | None] = mapped_column(String(255))
    counterparty_account: Mapped[str | None] = mapped_column(String(64))
    remittance: Mapped[str] = mapped_column(server_default="", default="")
    reference: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
