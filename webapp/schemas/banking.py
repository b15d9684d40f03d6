"""Bank statements and their entries on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from models.states import BANK_ENTRY
from webapp.schemas.common import (
    NAME_LENGTH,
    Currency,
    Day,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateLabel,
    StateNumber,
    flag,
    reference,
)
from webapp.schemas.invoices import AllocationIn


class BankStatementOut(Output):
    """An imported file: how many `entries` were in it, and how many of them were `added`."""

    id = fields.UUID()
    format = fields.String(metadata={"examples": ["camt.053"]})
    account = fields.String(allow_none=True, metadata={"examples": ["DE89370400440532013000"]})
    sha256 = fields.String()
    entries = fields.Integer()
    added = fields.Integer()
    created_at = Moment()


class ProposedAllocation(Output):
    invoice_id = fields.UUID()
    number = fields.String()
    amount = Money()


class ProposalOfEntry(Output):
    """What the entry may settle, and why: `number`, `amount`, `client_name`.

    `rest` is what would be left of it.
    """

    allocations = fields.List(fields.Nested(ProposedAllocation))
    reasons = fields.List(fields.String(metadata={"examples": ["number"]}))
    rest = Money()


class BankEntryOut(Output):
    """A movement on an account; a pending credit has `proposals`, the best first."""

    id = fields.UUID()
    bank_statement_id = fields.UUID()
    payment_id = fields.UUID(allow_none=True)
    status = StateLabel(BANK_ENTRY)
    status_id = StateNumber(BANK_ENTRY)
    direction = fields.String(metadata={"examples": ["credit"]})
    amount = Money()
    currency = Currency()
    booked_on = Day()
    account = fields.String(allow_none=True, metadata={"examples": ["DE89370400440532013000"]})
    counterparty = fields.String(allow_none=True, metadata={"examples": ["Juniper Ltd"]})
    counterparty_account = fields.String(allow_none=True)
    remittance = fields.String(metadata={"examples": ["Invoice 2026-00042"]})
    reference = fields.String()
    created_at = Moment()
    updated_at = Moment()
    proposals = fields.List(fields.Nested(ProposalOfEntry))


class AcceptEntry(Input):
    """Which invoices the entry settles; what is first proposed without `allocations`.

    An empty list keeps all of it as the credit of `client_company_id`.
    """

    allocations = fields.List(
        fields.Nested(AllocationIn),
        validate=validate.Length(max=100),
        metadata={"x-depends-on": "client_company_id"},
    )
    keep_excess = flag()
    client_company_id = reference(allow_none=False)
    reference = PlainText(validate=validate.Length(1, NAME_LENGTH))
