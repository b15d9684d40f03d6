"""A client in short, as records that belong to one show it."""

from __future__ import annotations

from typing import Any

from models.crm import ClientCompany, Contact
from webapp.services.common.reads import brief


def client_company_brief(model: Any) -> Any:
    """The company that `model.client_company_id` names: id and name."""
    return brief(ClientCompany, model.client_company_id, name=ClientCompany.name)


def client_briefs(model: Any) -> dict[str, Any]:
    """The `client_company` and `contact` of a record that names both, in short."""
    contact = brief(
        Contact,
        model.contact_id,
        first_name=Contact.first_name,
        last_name=Contact.last_name,
        email=Contact.email,
    )
    return {"client_company": client_company_brief(model), "contact": contact}
