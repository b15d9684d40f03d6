"""The two parties of an invoice as they are when it becomes final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from models.billing import Invoice, InvoiceLine
from models.crm import ClientCompany, Contact
from models.db.queries import CompiledQuery, bound


def seller(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The organization as an invoice names it."""
    names = ("name", "tax_id", "address", "bank", "payment_terms", "brand")
    return {name: settings[name] for name in names}


def buyer_of(
    invoice: Invoice, lines: Sequence[InvoiceLine]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The client as the invoice names it, and what the law needs of it that is not known."""
    lacking: dict[str, list[str]] = {}
    company = _COMPANY.one(id=invoice.client_company_id) if invoice.client_company_id else None
    contact = _CONTACT.one(id=invoice.contact_id) if invoice.contact_id else None
    person = f"{contact['first_name']} {contact['last_name']}".strip() if contact else None
    if company is None and contact is None:
        lacking["client_company_id"] = ["Say which client the invoice is for."]
    address = (company or {}).get("address") or {}
    if company is not None and not (address.get("line1") and address.get("city")):
        lacking["client_company.address"] = [f"Set the address of {company['name']} first."]
    tax_id = (company or {}).get("tax_number")
    if any(line.tax_category == "reverse_charge" for line in lines) and not tax_id:
        lacking["client_company.tax_number"] = ["Reverse charge needs the client's tax number."]
    buyer = {
        "name": company["name"] if company else person,
        "contact": person if company else None,
        "email": contact["email"] if contact else None,
        "tax_id": tax_id,
        "address": address or None,
    }
    return buyer, lacking


_COMPANY = CompiledQuery.of(
    select(ClientCompany.name, ClientCompany.tax_number, ClientCompany.address).where(
        ClientCompany.id == bound("id", ClientCompany.id.type)
    )
)
_CONTACT = CompiledQuery.of(
    select(Contact.first_name, Contact.last_name, Contact.email).where(
        Contact.id == bound("id", Contact.id.type)
    )
)
