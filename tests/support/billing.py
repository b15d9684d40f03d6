"""A firm with all that an invoice by the law needs, and short ways to its invoices."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, cast

from tests.support.tenants import Api, Tenant

TAXED = {"tax_category": "standard", "tax_rate": "19.00"}


@dataclass
class Billing:
    """An engagement of a client, and the invoices for it."""

    api: Api
    tenant: Tenant
    engagement: dict[str, Any]
    company: dict[str, Any]
    contact: dict[str, Any]

    def draft(self, *prices: str, **more: Any) -> dict[str, Any]:
        """A draft with a line for each price, at 19 %; one of 100.00 by itself."""
        lines = [{"name": "Work", "price": price, **TAXED} for price in prices or ("100.00",)]
        body = {"engagement_id": self.engagement["id"], "lines": lines, **more}
        made: dict[str, Any] = self.api.made("/api/invoices", body)
        return made

    def final(self, *prices: str, **more: Any) -> dict[str, Any]:
        """A final invoice, as `draft`."""
        made: dict[str, Any] = self.act(self.draft(*prices, **more), "finalize")
        return made

    def act(self, invoice: dict[str, Any], verb: str, body: Any = None) -> Any:
        return self.api.made(f"/api/invoices/{invoice['id']}/{verb}", body)

    def pay(self, invoice: dict[str, Any], amount: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.act(invoice, "payments", {"amount": amount, **more})
        return made

    def mails(self, template: str, invoice: dict[str, Any]) -> list[EmailMessage]:
        """The mails of this template about the invoice that were written to the folder."""
        assert self.api.app is not None
        folder = self.api.app.config["SETTINGS"].var_dir / "mail"
        files = sorted(folder.glob(f"{template}.{invoice['id']}*.eml"))
        return [
            cast(EmailMessage, message_from_bytes(file.read_bytes(), policy=SMTP)) for file in files
        ]

    def read(self, invoice: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/api/invoices/{invoice['id']}").json
        return found


def ready_to_bill(api: Api, tenant: Tenant, word: str = "Juniper") -> Billing:
    """Set what the law needs, and make a client with an engagement; both are named by `word`."""
    address = {"line1": "Hauptstr. 1", "postal_code": "10827", "city": "Berlin", "country": "DE"}
    settings = {
        "tax_id": "DE136695976",
        "address": address,
        "bank": {"holder": word, "iban": "DE89 3704 0044 0532 0130 00"},
    }
    assert api.put("/api/organization", settings).status == 200
    company = api.made("/api/companies", {"name": f"{word} Ltd", "address": address})
    person = {"first_name": "Robin", "last_name": "Ray", "email": f"robin@{word.lower()}.example"}
    contact = api.made("/api/contacts", {**person, "client_company_id": company["id"]})
    engagement = api.made(
        "/api/engagements",
        {
            "name": f"{word} website",
            "currency": "EUR",
            "client_company_id": company["id"],
            "contact_id": contact["id"],
        },
    )
    return Billing(api, tenant, engagement, company, contact)
