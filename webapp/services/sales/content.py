"""What the client is shown and signs: the frozen content and its fingerprint.

The content is canonical JSON (RFC 8785); its SHA-256 is what the client signs and what the
certificate prints (sign-flow.md, *Sending*). A proposal of items and notes alone has the first
form, which has no `schema`; what says more has `schema: 2`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import rfc8785
from sqlalchemy import select

from models.contracts import Contract
from models.crm import ClientCompany, Contact
from models.db.base import db
from models.db.tenancy import current_organization_id
from models.identity import Organization
from models.sales import Proposal, ProposalItem
from webapp.services.common.exceptions import Invalid
from webapp.services.identity.organization import default_tax

CONSENT_VERSION = "1"
CONSENT_TEXT = (
    "I have read this proposal and agree to it. I am authorised to sign it, and I intend my"
    " electronic signature to bind me as one written by hand would."
)

CONTRACT_CONSENT = CONSENT_TEXT.replace("this proposal", "this contract")


def items_of(proposals: Sequence[Proposal]) -> dict[UUID, list[ProposalItem]]:
    """The items of each proposal by its id, in their order."""
    items: dict[UUID, list[ProposalItem]] = {proposal.id: [] for proposal in proposals}
    for item in db.session.scalars(
        select(ProposalItem)
        .where(
            ProposalItem.organization_id == current_organization_id(),
            ProposalItem.proposal_id.in_(items),
        )
        .order_by(ProposalItem.position, ProposalItem.id)
    ):
        items[item.proposal_id].append(item)
    return items


def freeze(proposal: Proposal, sent_at: dt.datetime) -> tuple[str, str]:
    """The proposal's content as canonical JSON, and its SHA-256 in hexadecimal.

    Raises Invalid naming what a proposal that is sent must have.
    """
    organization = db.session.get_one(Organization, current_organization_id())
    contact = _found(Contact, proposal.contact_id)
    company = _found(ClientCompany, proposal.client_company_id)
    items = items_of([proposal])[proposal.id]
    errors = {}
    if not items:
        errors["items"] = ["Add at least one item before sending."]
    if contact is None:
        errors["contact_id"] = ["Name the contact who shall sign before sending."]
    elif contact.deleted_at is not None:
        errors["contact_id"] = ["This contact was deleted; name another who shall sign."]
    elif not contact.email:
        errors["contact_id"] = ["This contact has no e-mail address to send to."]
    if errors or contact is None:
        raise Invalid(errors)
    content: dict[str, Any] = {
        "number": proposal.number,
        "version": proposal.version,
        "name": proposal.name,
        "currency": proposal.currency,
        "total": f"{proposal.total:.2f}",
        "notes": proposal.notes or "",
        "valid_until": _wire_time(proposal.valid_until),
        "sent_at": _wire_time(sent_at),
        "organization": {"name": organization.name},
        "client": {
            "name": client_name(
                company.name if company else None, contact.first_name, contact.last_name
            )
        },
        "contact": {
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
        },
        "items": [
            {
                "name": item.name,
                "description": item.description or "",
                "price": f"{item.price:.2f}",
                "quantity": item.quantity,
                "total": f"{item.total:.2f}",
            }
            for item in items
        ],
    }
    if is_extended(proposal, items):
        _extend(content, proposal, items)
    canonical = rfc8785.dumps(content)
    return canonical.decode(), hashlib.sha256(canonical).hexdigest()


def is_extended(proposal: Proposal, items: Sequence[ProposalItem]) -> bool:
    """Whether the content needs schema 2: it says more than items and notes."""
    return bool(
        proposal.sections
        or proposal.discount
        or proposal.billing
        or proposal.has_choices
        or any(item.tax_category for item in items)
    )


def _extend(content: dict[str, Any], proposal: Proposal, items: Sequence[ProposalItem]) -> None:
    """Add what schema 2 has. An item without a tax of its own gets the organization's for good."""
    default = default_tax()
    content |= {
        "schema": 2,
        "sections": proposal.sections,
        "discount": f"{proposal.discount:.2f}",
        "billing": proposal.billing,
    }
    for told, item in zip(content["items"], items, strict=True):
        if item.tax_category is None:
            item.tax_category, item.tax_rate = default["category"], Decimal(default["rate"])
        told |= {
            "id": str(item.id),
            "optional": item.optional,
            "min_quantity": item.min_quantity or item.quantity,
            "max_quantity": item.max_quantity or item.quantity,
            "tax_category": item.tax_category,
            "tax_rate": f"{item.tax_rate:.2f}",
        }


def client_of(offer: Proposal | Contract) -> tuple[ClientCompany | None, Contact | None]:
    """The company and contact it is for, deleted ones included: what was agreed stands."""
    return (_found(ClientCompany, offer.client_company_id), _found(Contact, offer.contact_id))


def client_name(company: str | None, first_name: str | None, last_name: str | None) -> str:
    """Who the engagement is named after: the company, else the person."""
    return company or f"{first_name or ''} {last_name or ''}".strip() or "Client"


def signer_by_default(model: type[Proposal | Contract], offer_id: UUID) -> str:
    """Who signs where staff name nobody: the contact of the offer, else "the client"."""
    offer = _found(model, offer_id)
    contact = client_of(offer)[1] if offer is not None else None
    return f"{contact.first_name} {contact.last_name}" if contact else "the client"


def _found(model: Any, record_id: Any) -> Any:
    if record_id is None:
        return None
    return db.session.get(model, (current_organization_id(), record_id))


def _wire_time(moment: dt.datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
