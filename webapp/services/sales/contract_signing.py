"""Signing a contract that stands alone, and the engagement that its signature opens.

As with a proposal, without items: the signature is the legal fact, and what it leads to is done by
the job it leaves behind (sign-flow.md, *Signing*; E, *Creation*).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import rfc8785
from sqlalchemy import func, select

from models.billing import InvoiceSchedule
from models.contracts import Contract
from models.db.base import db, uuid7
from models.db.inserts import insert_together
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement, EngagementContract
from models.identity import Organization
from models.portal import PortalAccess
from models.sales import Signature
from models.states import CONTRACT
from webapp.services.activity.events import record_activity
from webapp.services.billing.drafts import Client, drafted
from webapp.services.billing.schedules import plan_of
from webapp.services.billing.terms import scheduled
from webapp.services.common.exceptions import AlreadySigned, ContentChanged, Expired, Invalid
from webapp.services.common.writes import lock, move, now, today
from webapp.services.crm.deals import win_deal
from webapp.services.custom_fields.defaults import defaults_of
from webapp.services.identity.organization import default_tax
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.content import client_name, client_of
from webapp.services.sales.contracts import engagements_under
from webapp.services.sales.evidence import Evidence

KIND = "sales.fulfil_contract"


@dataclass(frozen=True, slots=True)
class SignedContract:
    """A recorded signature and the job that carries it out, in short."""

    signature_id: UUID
    job: dict[str, Any]


def sign_contract(
    contract_id: UUID, evidence: Evidence, *, expected_row_version: int | None = None
) -> SignedContract:
    """Record a client's signature under a contract, by staff or by a program.

    Raises NotFound, StaleVersion, and as `sign_locked`.
    """
    return sign_locked(
        lock(Contract, contract_id, expected_row_version=expected_row_version), evidence
    )


def sign_locked(contract: Contract, evidence: Evidence) -> SignedContract:
    """Write the signature on the locked contract; a draft is frozen first.

    Raises AlreadySigned naming the engagement, InvalidTransition, Expired by the database's clock,
    ContentChanged when the signer saw something else, and Invalid.
    """
    if contract.status == "signed":
        under = engagements_under(contract.id)
        raise AlreadySigned(under[0] if under else None)
    if CONTRACT.allows(contract.status, "signed"):
        check_not_expired(contract)
        if contract.status == "draft":
            contract.content, contract.content_sha256 = freeze_contract(contract)
        if evidence.content_sha256 not in (None, contract.content_sha256):
            raise ContentChanged()
        evidence.check()
        contract.signed_at = now()
    move(contract, CONTRACT, "signed", type="signed")
    signature = Signature(
        id=uuid7(),
        contract_id=contract.id,
        signed_at=now(),
        **(asdict(evidence) | {"content_sha256": contract.content_sha256}),
    )
    win_deal(contract.deal_id)
    insert_together([signature])
    payload = {"signature_id": str(signature.id)}
    job_id = enqueue(KIND, signature.id, payload)
    enqueue("sales.render_signed_document", signature.id, payload)
    for kind in ("sales.mail_signed_contract", "sales.mail_signed_contract_owner"):
        enqueue(kind, signature.id, payload, ordering_key=f"mail:contract:{contract.id}")
    job = {"id": job_id, "kind": KIND, "state": "ready", "created_at": now()}
    return SignedContract(signature.id, job)


def check_not_expired(contract: Contract) -> None:
    """By the database's clock, after the lock was waited for. Raises Expired."""
    if contract.status == "sent" and contract.valid_until is not None:
        with db.session.no_autoflush:
            clock: dt.datetime = db.session.execute(select(func.clock_timestamp())).scalar_one()
        if clock >= contract.valid_until:
            raise Expired("The time to sign this contract is over.")


def freeze_contract(contract: Contract) -> tuple[str, str]:
    """The contract's content as canonical JSON, and its SHA-256 in hexadecimal.

    Raises Invalid naming what a contract must have before it is signed.
    """
    organization = db.session.get_one(Organization, current_organization_id())
    company, contact = client_of(contract)
    errors = {}
    if not (contract.body or "").strip():
        errors["body"] = ["Write down what is agreed before it is signed."]
    if company is None and contact is None:
        errors["client_company_id"] = ["Say who the client is before it is signed."]
    if errors:
        raise Invalid(errors)
    content: dict[str, Any] = {
        "kind": "contract",
        "number": contract.number,
        "name": contract.name,
        "body": contract.body,
        "currency": contract.currency,
        "total_value": None if contract.total_value is None else f"{contract.total_value:.2f}",
        "start_date": contract.start_date.isoformat() if contract.start_date else None,
        "end_date": contract.end_date.isoformat() if contract.end_date else None,
        "auto_renew": contract.auto_renew,
        "notice_days": contract.notice_days,
        "organization": {"name": organization.name},
        "client": {"name": _name_of(company, contact)},
        "contact": contact
        and {
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
        },
    }
    if contract.billing is not None:
        content["billing"] = contract.billing
    canonical = rfc8785.dumps(content)
    return canonical.decode(), hashlib.sha256(canonical).hexdigest()


def fulfil_contract(signature_id: UUID) -> None:
    """Open the engagement of a signed contract and plan its invoices; a second time does nothing.

    One that engagements work under already opens none: it extends the first that is open.
    """
    contract = db.session.scalars(
        select(Contract)
        .join(
            Signature,
            (Signature.organization_id == Contract.organization_id)
            & (Signature.contract_id == Contract.id),
        )
        .where(Contract.organization_id == current_organization_id(), Signature.id == signature_id)
        .with_for_update(of=Contract)
    ).one()
    under = engagements_under(contract.id)
    engagement_id = _open_among(under) if under else _open_engagement(contract)
    if contract.billing is not None and engagement_id is not None:
        _bill(contract, engagement_id, signature_id)


def _open_engagement(contract: Contract) -> UUID:
    company, contact = client_of(contract)
    engagement = Engagement(
        id=uuid7(),
        contract_id=contract.id,
        deal_id=contract.deal_id,
        client_company_id=contract.client_company_id,
        contact_id=contract.contact_id,
        owner_id=contract.owner_id or current_principal().actor["id"],
        name=f"{_name_of(company, contact)[:240]} - Engagement",
        start_date=contract.start_date or today(),
        end_date=_end_of(contract),
        total_value=contract.total_value,
        currency=contract.currency,
        custom_fields=defaults_of("engagement")["engagement"],
    )
    made: list[Any] = [
        engagement,
        EngagementContract(engagement_id=engagement.id, contract_id=contract.id),
    ]
    if contact is not None:
        made.append(PortalAccess(engagement_id=engagement.id, contact_id=contact.id))
    insert_together(made)
    record_activity(engagement, "created", metadata={"contract": contract.number})
    return engagement.id


def _open_among(engagement_ids: Sequence[UUID]) -> UUID | None:
    """The first of the engagements that takes a schedule; it stays open until this is done."""
    open_ones = db.session.scalars(
        select(Engagement.id)
        .where(
            Engagement.organization_id == current_organization_id(),
            Engagement.id.in_(engagement_ids),
            Engagement.status.in_(("active", "on_hold")),
            Engagement.deleted_at.is_(None),
        )
        .with_for_update(read=True)
    ).all()
    return next((each for each in engagement_ids if each in open_ones), None)


def _bill(contract: Contract, engagement_id: UUID, signature_id: UUID) -> None:
    """Plan the contract's invoices, once, and draft what is due; the rest is beat's.

    The schedule has the signature's id: whatever runs twice, there is one.
    """
    key = (current_organization_id(), signature_id)
    if db.session.get(InvoiceSchedule, key) is not None:
        return
    assert contract.total_value is not None
    assert contract.currency is not None
    begin = max(contract.start_date or today(), today())
    schedule = InvoiceSchedule(
        id=signature_id,
        engagement_id=engagement_id,
        name=contract.name,
        currency=contract.currency,
        **scheduled(contract.billing, contract.total_value, begin),
    )
    plan = plan_of(schedule)
    parts = plan.on(today())
    schedule.next_period = plan.after(today())
    made: list[Any] = [schedule]
    if parts:
        client = Client(contract.client_company_id, contract.contact_id)
        invoice, lines = drafted(schedule, client, parts, default_tax())
        made += [invoice, *lines]
    insert_together(made)
    record_activity(schedule, "created", metadata={"contract": contract.number})
    if parts:
        record_activity(invoice, "created", metadata={"schedule": schedule.name})


def _end_of(contract: Contract) -> Any:
    """The contract's end, unless the engagement begins after it: today, without a start."""
    if contract.end_date and contract.end_date < (contract.start_date or today()):
        return None
    return contract.end_date


def _name_of(company: Any, contact: Any) -> str:
    return client_name(
        company.name if company else None,
        contact.first_name if contact else None,
        contact.last_name if contact else None,
    )
