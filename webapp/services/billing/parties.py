"""The two parties of an invoice as they are when it becomes final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from models.billing import Invoice, InvoiceLine
from models.crm import ClientCompany, Contact
from models.db.queries import CompiledQuery, bound
from webapp.services.billing.einvoice_codes import EU, country_code, is_vat_id

REVERSE_CHARGE = "Reverse charge: the recipient owes the tax."
# What an older invoice says, which keeps no reason of its own.
FORMER_REASONS = {"reverse_charge": REVERSE_CHARGE, "exempt": "Exempt from tax."}


def seller(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The organization as an invoice names it."""
    names = ("name", "tax_id", "address", "bank", "payment_terms", "brand")
    return {name: settings[name] for name in names}


def untaxed_reasons(invoice: Invoice, settings: Mapping[str, Any]) -> dict[str, str]:
    """Why there is no tax, for each category that must say so (EN 16931, BR-E-10, BR-AE-10).

    An exemption has many reasons, so the invoice names its own, or else the organization's.
    """
    exempt = invoice.tax_exemption_reason or settings["tax_exemption_reason"]
    reasons = {"reverse_charge": REVERSE_CHARGE}
    return reasons | {"exempt": exempt} if exempt else reasons


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
    country = country_code(address)
    if company is not None and not (address.get("line1") and address.get("city")):
        lacking["client_company.address"] = [f"Set the address of {company['name']} first."]
    elif company is not None and country is None:
        asked = f"Set the country of {company['name']} as its code of two letters, such as DE."
        lacking["client_company.address.country"] = [asked]
    tax_id = (company or {}).get("tax_number")
    if any(line.tax_category == "reverse_charge" for line in lines):
        if not tax_id:
            lacking["client_company.tax_number"] = ["Reverse charge needs the client's tax number."]
        elif country in EU and not is_vat_id(tax_id, country):
            lacking["client_company.tax_number"] = ["Reverse charge needs a VAT identifier."]
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
