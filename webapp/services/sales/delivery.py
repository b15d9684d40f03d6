"""The signing link's way to the client: made, mailed, and what became of the mail.

Source: sign-flow.md, *Delivery*.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.contracts import Contract
from models.db.base import db, uuid7
from models.db.tenancy import current_organization_id
from models.identity import Credential
from models.sales import Proposal, ProposalVersion, SigningLink
from webapp.services.activity.events import record_activity
from webapp.services.common import secrets
from webapp.services.common.writes import now
from webapp.services.jobs.enqueue import enqueue


def make_link(offer: Proposal | Contract, email: str, secret_key: bytes) -> SigningLink:
    """Make the link to what is offered, and have it mailed to this address.

    A proposal's link opens its present version; a contract has one.
    """
    link = SigningLink(
        id=uuid7(),
        organization_id=current_organization_id(),
        **_opens(offer),
        contact_id=offer.contact_id,
        email=email,
        mailings=1,
        credential_id=uuid7(),
    )
    db.session.add(link)
    db.session.add(
        Credential(
            id=link.credential_id,
            organization_id=link.organization_id,
            kind="signing_link",
            digest=secrets.digest(secrets.link_token(secret_key, link.id)),
            subject_id=link.id,
            label="client",
        )
    )
    _mail(link)
    return link


def mail_again(link: SigningLink) -> None:
    """Have the link mailed once more; it must be locked. A mailing that still waits is dropped."""
    link.mailings += 1
    link.delivered_at = link.undeliverable_at = link.undeliverable_reason = None
    _mail(link)


def living_link(offer: Proposal | Contract) -> SigningLink:
    """The link to what was sent as it is now, locked."""
    link: SigningLink = db.session.scalars(
        select(SigningLink)
        .filter_by(organization_id=current_organization_id(), revoked_at=None, **_opens(offer))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return link


def _opens(offer: Proposal | Contract) -> dict[str, Any]:
    """What a link to it names."""
    if isinstance(offer, Contract):
        return {"contract_id": offer.id, "version": 1}
    return {"proposal_id": offer.id, "version": offer.version}


def address_of(link: SigningLink) -> str:
    """Where the link was sent to; an old one's address is that of the frozen content."""
    if link.email is not None:
        return link.email
    content = db.session.scalars(
        select(ProposalVersion.content).where(
            ProposalVersion.organization_id == link.organization_id,
            ProposalVersion.proposal_id == link.proposal_id,
            ProposalVersion.version == link.version,
        )
    ).one()
    return str(json.loads(content)["contact"]["email"])


def is_current(link: SigningLink, payload: Mapping[str, Any]) -> bool:
    """Whether the job with this payload is about the link's latest mailing."""
    return bool(payload.get("mailing", 1) == link.mailings)


def note_delivered(payload: Mapping[str, Any]) -> None:
    """A mail server has taken the link's mail."""
    link = _mailed_link(payload)
    if link is not None:
        link.delivered_at = now()
        link.undeliverable_at = link.undeliverable_reason = None
        _tell(link, "delivered")


def note_undeliverable(payload: Mapping[str, Any], reason: str) -> None:
    """The link's mail will not arrive; staff read why, and send it again."""
    link = _mailed_link(payload)
    if link is None:
        return
    is_news = link.undeliverable_at is None
    link.delivered_at, link.undeliverable_at, link.undeliverable_reason = None, now(), reason
    if is_news:
        _tell(link, "undeliverable", reason=reason)


def _mail(link: SigningLink) -> None:
    is_first = link.mailings == 1
    enqueue(
        "sales.mail_signing_link",
        link.id if is_first else f"{link.id}:{link.mailings}",
        {"link_id": str(link.id), "mailing": link.mailings},
        ordering_key=(
            f"mail:proposal:{link.proposal_id}"
            if link.proposal_id
            else f"mail:contract:{link.contract_id}"
        ),
    )


def _mailed_link(payload: Mapping[str, Any]) -> SigningLink | None:
    """The link that was mailed, locked; None when it was mailed again since, or is gone."""
    link = db.session.scalars(
        select(SigningLink)
        .where(
            SigningLink.organization_id == current_organization_id(),
            SigningLink.id == UUID(payload["link_id"]),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    return link if link is not None and is_current(link, payload) else None


def _tell(link: SigningLink, event: str, **metadata: str) -> None:
    """Tell the activity log. What becomes of a mail is no change of the proposal: whoever has read
    it before may still change it."""
    model, offer_id = (
        (Proposal, link.proposal_id) if link.proposal_id else (Contract, link.contract_id)
    )
    offer = db.session.get(model, (link.organization_id, offer_id))
    if offer is not None:
        record_activity(offer, event, metadata={"version": link.version, **metadata})
