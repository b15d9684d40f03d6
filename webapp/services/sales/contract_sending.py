"""Sending a contract that stands alone to be signed by a link (rulings.md, *Contracts*)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from models.contracts import Contract
from models.crm import Contact
from models.db.base import db
from models.db.tenancy import current_organization_id, current_principal
from models.identity import MAX_LINK_DAYS, Organization
from models.sales import SigningLink
from models.states import CONTRACT
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import Conflict, Invalid, LinkReplaced, NotFound
from webapp.services.common.writes import lock, move, now, touch
from webapp.services.crm.contacts import correct_email
from webapp.services.sales.content import client_of
from webapp.services.sales.contract_signing import (
    SignedContract,
    check_not_expired,
    freeze_contract,
    sign_locked,
)
from webapp.services.sales.contracts import end_link
from webapp.services.sales.delivery import address_of, living_link, mail_again, make_link
from webapp.services.sales.evidence import Evidence
from webapp.services.sales.queries import SENT_ELSEWHERE


def send_contract(
    values: Mapping[str, Any],
    contract_id: UUID,
    secret_key: bytes,
    *,
    expected_row_version: int | None = None,
) -> SigningLink:
    """Freeze a draft, make its signing link, and have it mailed.

    It can be signed until `valid_until`, by default as long as the organization's links live.
    Raises NotFound, StaleVersion, Conflict when it is no draft, and Invalid naming what is missing.
    """
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    if contract.status != "draft":
        raise Conflict(
            f"This contract is {CONTRACT.label(contract.status)}; only a draft can be sent."
        )
    email = _recipient(contract)
    contract.valid_until = _limit(values.get("valid_until"))
    contract.content, contract.content_sha256 = freeze_contract(contract)
    contract.sent_at = now()
    contract.opened_at = contract.viewed_at = contract.expired_at = None
    link = make_link(contract, email, secret_key)
    move(contract, CONTRACT, "sent", type="sent")
    db.session.flush()
    return link


def resend_contract(
    values: Mapping[str, Any],
    contract_id: UUID,
    secret_key: bytes,
    *,
    expected_row_version: int | None = None,
) -> SigningLink:
    """Mail the link of a sent contract again, or a new one to another address.

    As `resend_proposal`: another `email` is the contact's from then on, and the old link is dead.
    Raises NotFound, StaleVersion, Expired, and Conflict when it waits for no signature.
    """
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    if contract.status != "sent":
        raise Conflict(
            f"This contract is {CONTRACT.label(contract.status)}; nobody waits to sign it."
        )
    check_not_expired(contract)
    contact = client_of(contract)[1]
    if contact is None or contact.deleted_at is not None:
        raise Conflict("The contact is gone; cancel the contract and draw up another.")
    link = living_link(contract)
    before = address_of(link)
    email = values.get("email") or contact.email or before
    is_another = email.lower() != before.lower()
    if is_another:
        correct_email(contact.id, email)
        link.revoked_at = now()
        db.session.flush()  # one living link
        link = make_link(contract, email, secret_key)
        contract.opened_at = contract.viewed_at = None
    else:
        mail_again(link)
    touch(contract)
    record_activity(contract, "resent", metadata={"to_another_address": is_another})
    db.session.flush()
    return link


def revise_contract(contract_id: UUID, *, expected_row_version: int | None = None) -> Contract:
    """Make an expired contract a draft again, to be changed and sent anew; its link is dead.

    Raises NotFound, StaleVersion, InvalidTransition.
    """
    contract = lock(Contract, contract_id, expected_row_version=expected_row_version)
    move(contract, CONTRACT, "draft", type="revised")
    end_link(contract)
    contract.content = contract.content_sha256 = contract.valid_until = None
    contract.sent_at = contract.opened_at = contract.viewed_at = contract.expired_at = None
    return contract


def sign_by_link(evidence: Evidence) -> SignedContract:
    """Sign the contract of the caller's link. Raises LinkReplaced, and as `sign_locked`."""
    contract = linked_contract()
    _note_view(contract)
    return sign_locked(contract, evidence)


def mark_opened() -> None:
    """Note that the link was fetched, by whomever; the first time only."""
    _mark(linked_contract(), "opened")


def mark_viewed() -> None:
    """Note that a person did something with the contract; the first time only."""
    _note_view(linked_contract())


def linked_contract() -> Contract:
    """The contract of the signing link that lets this caller in, locked.

    Raises LinkReplaced when the link is dead, NotFound when the contract was deleted, or the link
    opens none.
    """
    its_link = (SigningLink.organization_id == current_organization_id()) & (
        SigningLink.id == current_principal().subject_id
    )
    contract = db.session.scalars(
        select(Contract)
        .where(
            Contract.organization_id == current_organization_id(),
            Contract.id == select(SigningLink.contract_id).where(its_link).scalar_subquery(),
            Contract.deleted_at.is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if contract is None:
        raise NotFound("This link is not known.")
    # Read under the lock: another link may have taken its place while that was waited for.
    link = db.session.scalars(
        select(SigningLink).where(its_link).execution_options(populate_existing=True)
    ).one()
    if link.revoked_at is not None:
        raise LinkReplaced(SENT_ELSEWHERE)
    return contract


def expire_contracts(limit: int = 500) -> int:
    """Expire sent contracts whose time has passed; returns how many. One bounded batch."""
    contracts = db.session.scalars(
        select(Contract)
        .where(
            Contract.organization_id == current_organization_id(),
            Contract.status == "sent",
            Contract.valid_until <= func.now(),
            Contract.deleted_at.is_(None),
        )
        .order_by(Contract.valid_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for contract in contracts:
        contract.expired_at = now()
        move(contract, CONTRACT, "expired", type="expired")
    return len(contracts)


def _recipient(contract: Contract) -> str:
    """Where the link goes. Raises Invalid naming `contact_id`."""
    contact: Contact | None = client_of(contract)[1]
    if contact is None or contact.deleted_at is not None:
        raise Invalid({"contact_id": ["Name the contact who shall sign before sending."]})
    if not contact.email:
        raise Invalid({"contact_id": ["This contact has no e-mail address to send to."]})
    return contact.email


def _limit(valid_until: dt.datetime | None) -> dt.datetime:
    """How long it can be signed. Raises Invalid naming `valid_until`, as for proposals."""
    if valid_until is None:
        organization = db.session.get_one(Organization, current_organization_id())
        return now() + dt.timedelta(days=organization.link_days)
    if valid_until <= now():
        raise Invalid({"valid_until": ["This has passed already; choose a later time."]})
    if valid_until > now() + dt.timedelta(days=MAX_LINK_DAYS):
        wrong = f"A link waits at most {MAX_LINK_DAYS} days; choose an earlier time."
        raise Invalid({"valid_until": [wrong]})
    return valid_until


def _note_view(contract: Contract) -> None:
    _mark(contract, "opened")
    _mark(contract, "viewed")


def _mark(contract: Contract, event: str) -> None:
    column = f"{event}_at"
    if contract.status == "sent" and getattr(contract, column) is None:
        setattr(contract, column, now())
        touch(contract)
        record_activity(contract, event)
