"""Contacts: the people on the client's side."""

from __future__ import annotations

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import EMAIL, PlainText, reference
from webapp.schemas.crm import ContactChange, ContactCreate, ContactOut
from webapp.services.crm import contacts as services
from webapp.services.crm.contacts import CONTACTS

blueprint = ApiBlueprint(
    "contacts", "/api/contacts", description="The people on the client's side."
)

contacts = Resource(
    blueprint,
    "contact",
    records=CONTACTS,
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
