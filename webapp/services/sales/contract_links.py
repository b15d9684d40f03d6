"""What the holder of a contract's signing link reads (rulings.md, *Contracts*)."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from models.contracts import Contract
from models.db.queries import CompiledQuery, bound, resolve_context
from models.db.tenancy import current_principal
from models.identity import Organization
from models.sales import Signature, SignedDocument, SigningLink
from webapp.services.common.exceptions import LinkReplaced, NotFound
from webapp.services.sales.content import CONTRACT_CONSENT
from webapp.services.sales.contract_queries import CONTRACTS
from webapp.services.sales.queries import SENT_ELSEWHERE

_LINKED = CompiledQuery.of(
    select(
        Contract.id,
        Contract.status,
        Contract.opened_at,
        Contract.viewed_at,
        Contract.signed_at,
        Contract.valid_until,
        Contract.sent_at,
        Contract.deleted_at,
        (Contract.valid_until <= func.now()).label("is_past"),
        Contract.content,
        Contract.content_sha256,
        SigningLink.revoked_at,
        Organization.timezone,
        Signature.id.label("signature_id"),
        Signature.signer_name,
        Signature.recorded_by,
        SignedDocument.id.label("document_id"),
    )
    .select_from(SigningLink)
    .join(
        Contract,
        (Contract.organization_id == SigningLink.organization_id)
        & (Contract.id == SigningLink.contract_id),
    )
    .join(Organization, Organization.id == SigningLink.organization_id)
    .outerjoin(
        Signature,
        (Signature.organization_id == SigningLink.organization_id)
        & (Signature.contract_id == SigningLink.contract_id)
        & SigningLink.revoked_at.is_(None),  # what another link's holder signed is not this one's
    )
    .outerjoin(
        SignedDocument,
        (SignedDocument.organization_id == Signature.organization_id)
        & (SignedDocument.signature_id == Signature.id),
    )
    .where(SigningLink.credential_id == bound("credential_id", SigningLink.id.type))
)

_DOCUMENT = CompiledQuery.of(
    select(SignedDocument.content, SignedDocument.sha256, Contract.number)
    .select_from(Signature)
    .join(
        SignedDocument,
        (SignedDocument.organization_id == Signature.organization_id)
        & (SignedDocument.signature_id == Signature.id),
    )
    .join(
        Contract,
        (Contract.organization_id == Signature.organization_id)
        & (Contract.id == Signature.contract_id),
    )
    .where(
        Signature.contract_id == bound("contract_id", Contract.id.type),
        Signature.proposal_id.is_(None),
    )
)


def contract_of_caller(*, even_replaced: bool = False) -> dict[str, Any]:
    """What the holder of a contract's link may read, and where the contract stands.

    With `even_replaced` also who holds a dead link reads what they read before, as `replaced`, or
    as `cancelled`. Raises LinkReplaced for such a link otherwise, NotFound for any other link.
    """
    resolve_context()
    credential_id = current_principal().credential_id
    assert credential_id is not None
    row = _LINKED.one(credential_id=credential_id)
    if row is None or row["deleted_at"] is not None or row["content"] is None:
        raise NotFound("This link is not known.")
    if row["revoked_at"] is not None:
        if not even_replaced:
            raise LinkReplaced(SENT_ELSEWHERE)
        cancelled = row["status"] == "cancelled"
        row |= {"status": "cancelled" if cancelled else "replaced", "viewed_at": None}
    elif row["status"] == "sent" and row["is_past"]:
        row["status"] = "expired"  # the beat job writes it down; the clock has decided already
    names = (
        *("id", "status", "opened_at", "viewed_at", "signed_at", "valid_until", "sent_at"),
        *("content_sha256", "timezone", "signature_id", "signer_name", "recorded_by"),
    )
    return {
        **json.loads(row["content"]),
        **{name: row[name] for name in names},
        "consent_text": CONTRACT_CONSENT,
        "has_document": row["document_id"] is not None,
    }


def signed_contract_document(contract_id: UUID) -> dict[str, Any]:
    """The signed PDF of a contract: content, sha256, number. Raises NotFound until it is there."""
    row = _DOCUMENT.one(contract_id=contract_id)
    if row is None:
        raise NotFound("There is no signed document yet.")
    return row


def engagement_under(contract_id: UUID) -> dict[str, Any] | None:
    """The engagement that the contract's signature opened, or the first it goes on in."""
    found = CONTRACTS.get(contract_id).get("engagements") or []
    return found[0] if found else None
