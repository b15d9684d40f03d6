"""Entries of bank statements: what they may settle, accepted or dismissed."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from webargs.fields import DelimitedList

from models.states import BANK_ENTRY
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.banking import AcceptEntry, BankEntryOut
from webapp.schemas.common import StateIn
from webapp.services.billing import bank_statements as service
from webapp.services.billing.bank_statements import ENTRIES, ENTRIES_OF_STATEMENT, STATEMENTS
from webapp.services.common.exceptions import Conflict, InvalidTransition

blueprint = ApiBlueprint(
    "bank_entries", "/api/bank-entries", description="Money that came in or went out by the bank."
)
statement_blueprint = ApiBlueprint(
    "bank_statement_entries",
    "/api/bank-statements/<uuid:bank_statement_id>/entries",
    description="The entries of one bank statement.",
)

_FILTERS: dict[str, fields.Field[Any]] = {
    "status": DelimitedList(StateIn(BANK_ENTRY)),
}

of_statement = Resource(
    statement_blueprint,
    "bank_statement_entry",
    records=ENTRIES_OF_STATEMENT,
    out=BankEntryOut,
    filters=_FILTERS,
)
of_statement.list(
    "List a statement's entries with what they may settle",
    prepare=lambda bank_statement_id: STATEMENTS.get(bank_statement_id),
)

entries = Resource(blueprint, "bank_entry", records=ENTRIES, out=BankEntryOut, filters=_FILTERS)
entries.list("List entries over all statements with what they may settle")
entries.retrieve("Retrieve an entry with what it may settle")
entries.action(
    "accept",
    "Record the entry as a payment",
    service.accept_entry,
    body=AcceptEntry,
    errors=(InvalidTransition, Conflict),
)
entries.action(
    "dismiss",
    "Say that the entry is for no invoice",
    service.dismiss_entry,
    errors=(InvalidTransition,),
)
