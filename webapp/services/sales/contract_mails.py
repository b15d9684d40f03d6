"""What mails tell of a contract: that it waits to be signed, and that it was."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.contracts import Contract
from models.db.base import db
from models.db.tenancy import current_organization_id
from models.identity import Organization
from models.sales import Signature, SigningLink
from webapp.services.common.writes import now
from webapp.services.engagements.owners import address_of_owner
from webapp.services.sales.contract_links import engagement_under


def contract_link_facts(link: SigningLink) -> dict[str, Any] | None:
    """What the mail with a contract's link tells; None when nobody waits for it any more."""
    contract = db.session.get_one(Contract, (link.organization_id, link.contract_id))
    is_past = contract.valid_until is not None and contract.valid_until <= now()
    if contract.status != "sent" or contract.deleted_at is not None or is_past:
        return None
    facts = _facts(contract, link.email)
    facts["contract"]["valid_until"] = contract.valid_until
    return facts


def signed_contract_facts(signature_id: UUID) -> dict[str, Any]:
    """What the mails after a contract's signature tell."""
    key = (current_organization_id(), signature_id)
    signature = db.session.get_one(Signature, key)
    contract = db.session.get_one(Contract, (signature.organization_id, signature.contract_id))
    link = db.session.scalars(
        select(SigningLink).where(
            SigningLink.organization_id == signature.organization_id,
            SigningLink.contract_id == contract.id,
            SigningLink.revoked_at.is_(None),
        )
    ).one_or_none()
    return _facts(contract, link.email if link else None) | {
        "signature": {
            "signer_name": signature.signer_name,
            "signed_at": signature.signed_at,
            "recorded_by": signature.recorded_by,
        },
        "engagement": engagement_under(contract.id),
        "owner": address_of_owner(contract.owner_id),
        "link_id": link.id if link else None,
    }


def _facts(contract: Contract, email: str | None) -> dict[str, Any]:
    organization = db.session.get_one(Organization, contract.organization_id)
    assert contract.content is not None
    content = json.loads(contract.content)
    contact = content["contact"]
    return {
        "organization": {"name": organization.name},
        "timezone": organization.timezone,
        "contract": content,
        "contact": contact and (contact | ({"email": email} if email else {})),
    }
