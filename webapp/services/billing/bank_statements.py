"""Bank statements are imported once, and their credits made payments.

The rules: rulings.md, *Bank statements*.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import String, any_, select
from sqlalchemy.dialects.postgresql import ARRAY

from models.banking import BankEntry, BankStatement
from models.db.inserts import insert_records
from models.db.queries import CompiledQuery, Row, bound
from models.states import BANK_ENTRY
from webapp.services.billing.bank_files import Movement, read_csv, refuse, tell_apart
from webapp.services.billing.bank_matching import add_proposals
from webapp.services.billing.camt import read_camt
from webapp.services.billing.settlement import record_payment
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.common.reads import (
    Page,
    PageRequest,
    RecordQuery,
    among,
    equals,
)
from webapp.services.common.writes import (
    create,
    lock,
    move,
    now,
    organization_row,
    refuse_duplicate,
)
from webapp.services.identity.organization import organization

STATEMENTS = RecordQuery(BankStatement, domain="billing", noun="bank statement")


class EntryQuery(RecordQuery):
    """How entries are read: each with what it may settle."""

    def get(self, record_id: UUID, **within: UUID) -> Row:
        row = super().get(record_id, **within)
        add_proposals([row])
        return row

    def page(self, wanted: PageRequest, **within: UUID) -> Page:
        page = super().page(wanted, **within)
        add_proposals(page.rows)
        return page


_FILTERS = {"status": among(BankEntry.status)}
ENTRIES = EntryQuery(
    BankEntry,
    domain="billing",
    noun="bank entry",
    filters=_FILTERS,
    deferred=("digest",),
)
ENTRIES_OF_STATEMENT = EntryQuery(
    BankEntry,
    domain="billing",
    noun="bank entry",
    filters=_FILTERS,
    within={"bank_statement_id": equals(BankEntry.bank_statement_id)},
    deferred=("digest",),
)


def import_statement(content: bytes, *, is_xml: bool) -> tuple[UUID, bool]:
    """Store what a bank's file tells that is not known yet; the statement's id, and if it is new.

    The same file again is the statement it was. Raises Invalid naming `file`, or its lines or
    entries, and Conflict where the same is being imported right now.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    known = _BY_FILE.one(sha256=sha256)
    if known is not None:
        return known["id"], False
    movements = read_camt(content) if is_xml else read_csv(content, currency=_own_currency())
    if not movements:
        raise refuse("There is no booked entry in this file.")
    told = tell_apart(movements)
    there = {row["digest"] for row in _BY_DIGEST.all(digests=[digest for digest, _ in told])}
    new = [(digest, movement) for digest, movement in told if digest not in there]
    accounts = {movement.account for movement in movements}
    with refuse_duplicate("uq_bank_statements_organization_id_sha256", "file", _BUSY):
        statement = create(
            BankStatement(
                format="camt.053" if is_xml else "csv",
                sha256=sha256,
                account=accounts.pop() if len(accounts) == 1 else None,
                entries=len(told),
                added=len(new),
            ),
            metadata={"entries": len(told), "added": len(new)},
        )
    with refuse_duplicate("uq_bank_entries_organization_id_digest", "file", _BUSY):
        insert_records([_entry(statement, digest, movement) for digest, movement in new])
    return statement.id, True


def accept_entry(
    values: Mapping[str, Any], bank_entry_id: UUID, *, expected_row_version: int | None = None
) -> BankEntry:
    """Record the credit as a payment, which settles `allocations`, or the first proposal's.

    An empty list keeps all of it as the client's credit. Raises NotFound, StaleVersion,
    InvalidTransition for one accepted before, Conflict for money that went out or a reference
    that was recorded before, and Invalid naming the fields.
    """
    entry = lock(BankEntry, bank_entry_id, expected_row_version=expected_row_version)
    if entry.direction != "credit":
        raise Conflict("This money went out; it settles no invoice.")
    dismissed = entry.status == "dismissed"
    move(entry, BANK_ENTRY, "accepted")
    allocations = values.get("allocations")
    if allocations is None:
        allocations = _first_proposal(entry, dismissed=dismissed)
    keep_excess = values.get("keep_excess", False)
    rest = entry.amount - sum((each["amount"] for each in allocations), Decimal(0))
    if rest < 0:
        raise Invalid({"allocations": [f"This entry is of {entry.amount} {entry.currency} only."]})
    if allocations and rest > 0 and not keep_excess:
        left = f"{rest} {entry.currency} are not allocated"
        message = f"{left}; set keep_excess to keep them as the client's credit."
        raise Invalid({"keep_excess": [message]})
    client = {name: values[name] for name in ("client_company_id",) if name in values}
    payment = record_payment(
        {
            "amount": entry.amount,
            "currency": entry.currency,
            "method": "bank_transfer",
            "reference": values.get("reference") or entry.reference,
            "received_at": _received_at(entry.booked_on),
            "allocations": allocations,
            "keep_excess": keep_excess,
            **client,
        }
    )
    entry.payment_id = payment.id
    return entry


def dismiss_entry(bank_entry_id: UUID, *, expected_row_version: int | None = None) -> BankEntry:
    """Say that the credit is for no invoice. Raises NotFound, StaleVersion, InvalidTransition."""
    entry = lock(BankEntry, bank_entry_id, expected_row_version=expected_row_version)
    move(entry, BANK_ENTRY, "dismissed")
    return entry


_BUSY = "This file, or one with the same entries, is being imported right now; try again."
_BY_FILE = CompiledQuery.of(
    select(BankStatement.id).where(BankStatement.sha256 == bound("sha256", String()))
)
_BY_DIGEST = CompiledQuery.of(
    select(BankEntry.digest).where(BankEntry.digest == any_(bound("digests", ARRAY(String()))))
)


def _own_currency() -> str:
    currency: str = organization()["currency"]
    return currency


def _entry(statement: BankStatement, digest: str, movement: Movement) -> BankEntry:
    credit = movement.direction == "credit"
    return BankEntry(
        bank_statement_id=statement.id,
        status="pending" if credit else "dismissed",
        direction=movement.direction,
        amount=movement.amount,
        currency=movement.currency,
        booked_on=movement.booked_on,
        account=movement.account,
        counterparty=movement.counterparty,
        counterparty_account=movement.counterparty_account,
        remittance=movement.remittance,
        reference=movement.bank_reference or f"bank-{digest[:32]}",
        digest=digest,
    )


def _first_proposal(entry: BankEntry, *, dismissed: bool) -> Sequence[Mapping[str, Any]]:
    """What the entry settles when nobody says. Raises Invalid where nothing is proposed."""
    row: Row = {
        "status": "pending",
        "amount": entry.amount,
        "currency": entry.currency,
        "remittance": entry.remittance,
        "counterparty": entry.counterparty,
    }
    add_proposals([row])
    if dismissed or not row["proposals"]:
        message = "Nothing is proposed for this entry; say which invoices it settles."
        raise Invalid({"allocations": [message]})
    [first, *_] = row["proposals"]
    allocations: Sequence[Mapping[str, Any]] = first["allocations"]
    return allocations


def _received_at(booked_on: dt.date) -> dt.datetime:
    """The beginning of the day where the organization is, or now for a day that has not come."""
    zone = ZoneInfo(organization_row()["timezone"])
    return min(dt.datetime.combine(booked_on, dt.time(), zone), now())
