"""Contacts: how they are read, made, changed and trashed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from sqlalchemy import func

from models.crm import ClientCompany, Contact
from models.db.base import TenantRecord
from models.db.queries import Row
from webapp.services.common.reads import Filter, RecordQuery, equals
from webapp.services.common.writes import (
    change,
    check_values,
    create_read,
    lock,
    refuse_duplicate,
    trash,
)
from webapp.services.crm.briefs import client_company_brief
from webapp.services.crm.companies import COMPANIES

CONTACTS = RecordQuery(
    Contact,
    domain="crm",
    noun="contact",
    custom_fields="contact",
    extra={"client_company": client_company_brief(Contact)},
    filters={
        "client_company_id": equals(Contact.client_company_id),
        "email": Filter(lambda value: Contact.email_key == func.lower(value), Contact.email.type),
    },
    expandable={"client_company": ("client_company_id", COMPANIES)},
    deferred=("email_key",),
)
REFERENCES: dict[str, type[TenantRecord]] = {"client_company_id": ClientCompany}


def create_contact(values: Mapping[str, Any]) -> Row:
    """Make a contact. Raises Invalid naming the fields, Conflict when the e-mail is taken."""
    with own_email():
        return create_read(
            Contact(**values), CONTACTS, references=REFERENCES, custom_fields="contact"
        )


def update_contact(
    values: Mapping[str, Any], contact_id: UUID, *, expected_row_version: int | None = None
) -> Contact:
    """Change a contact.

    Raises NotFound, StaleVersion, Invalid naming the fields, Conflict when the e-mail is taken.
    """
    contact = lock(Contact, contact_id, expected_row_version=expected_row_version)
    check_values(values, REFERENCES, custom_fields="contact")
    with own_email():
        change(contact, values)
    return contact


def correct_email(contact_id: UUID, email: str) -> None:
    """Give a contact another address. Raises NotFound, Conflict when the e-mail is taken."""
    contact = lock(Contact, contact_id)
    with own_email():
        change(contact, {"email": email})


def trash_contact(contact_id: UUID, *, expected_row_version: int | None = None) -> None:
    """Soft-delete a contact; the e-mail is free again. Raises NotFound, StaleVersion."""
    trash(lock(Contact, contact_id, expected_row_version=expected_row_version))


def own_email() -> AbstractContextManager[None]:
    """What the block writes keeps an address to one contact. Raises Conflict naming `email`."""
    message = "Another contact has this e-mail address."
    return refuse_duplicate("uq_contacts_email_key", "email", message)
