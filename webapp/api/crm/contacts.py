"""Contacts: the people on the client's side."""

from __future__ import annotations

from webapp.api.framework.operations import Desk
from webapp.api.framework.resource import Crud
from webapp.schemas.common import EMAIL, PlainText, reference
from webapp.schemas.crm import ContactChange, ContactCreate, ContactOut
from webapp.services.crm import contacts as services
from webapp.services.crm.contacts import CONTACTS

desk = Desk("contacts", "/api/contacts", description="The people on the client's side.")

contacts = Crud(
    desk,
    "contact",
    reader=CONTACTS,
    out=ContactOut,
    filters={
        "client_company_id": reference(allow_none=False),
        "email": PlainText(validate=EMAIL),
    },
)
contacts.list("List contacts")
contacts.create("Create a contact", ContactCreate, services.create_contact)
contacts.retrieve("Retrieve a contact")
contacts.update("Update a contact", ContactChange, services.update_contact)
contacts.delete("Delete a contact", services.trash_contact)
