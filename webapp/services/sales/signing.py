"""Recording a signature: the legal fact, in one transaction (sign-flow.md, *Signing*).

Nothing after the commit can undo it; what it leads to is done by the job it leaves behind.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.contracts import Contract
from models.db.base import db, uuid7
from models.db.inserts import insert_together
from models.db.tenancy import current_organization_id
from models.sales import Proposal, Signature
from models.states import CONTRACT, PROPOSAL
from webapp.services.activity.events import record_activity
from webapp.services.billing.numbers import next_number
from webapp.services.common.exceptions import AlreadySigned, ContentChanged, Invalid
from webapp.services.common.writes import lock, move, now, today
from webapp.services.crm.deals import win_deal
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.choices import NOTHING_TO_CHOOSE, choose, kept, total_of
from webapp.services.sales.content import items_of
from webapp.services.sales.evidence import Evidence
from webapp.services.sales.named_engagement import check_engagement_to_sign
from webapp.services.sales.sending import check_not_expired, linked_proposal, note_view


@dataclass(frozen=True, slots=True)
class Signed:
    """A recorded signature and the job that carries it out, in short."""

    proposal_id: UUID
    signature_id: UUID
    job: dict[str, Any]


def sign_by_link(evidence: Evidence) -> Signed:
    """Sign the proposal of the caller's signing link. Raises LinkReplaced, and as `_sign`."""
    proposal = linked_proposal()
    note_view(proposal)
    return _sign(proposal, evidence)


def sign_proposal(
    proposal_id: UUID, evidence: Evidence, *, expected_row_version: int | None = None
) -> Signed:
    """Record a signature for a client, by staff or by a program (S 7e).

    Raises NotFound, StaleVersion, and as `_sign`.
    """
    return _sign(lock(Proposal, proposal_id, expected_row_version=expected_row_version), evidence)


def _sign(proposal: Proposal, evidence: Evidence) -> Signed:
    """Write the signature on the locked proposal.

    Raises AlreadySigned naming the engagement, InvalidTransition, Expired by the database's
    clock, ContentChanged when the signer saw something else, and Invalid: also where the signature
    could not be carried out as it was offered (`check_engagement_to_sign`).
    """
    if proposal.status == "signed":
        raise AlreadySigned(proposal.converted_engagement_id)
    selection = None
    if PROPOSAL.allows(proposal.status, "signed"):
        check_not_expired(proposal)
        if evidence.content_sha256 not in (None, proposal.content_sha256):
            raise ContentChanged()
        evidence.check()
        selection = _agree(proposal, evidence)
        check_engagement_to_sign(proposal)
        proposal.signed_at = now()
    move(proposal, PROPOSAL, "signed", type="signed", metadata={"version": proposal.version})
    contract, is_new = _sign_contract(proposal)
    values = asdict(evidence) | {
        "content_sha256": proposal.content_sha256,
        "selection": selection,
    }
    signature = Signature(
        id=uuid7(),
        proposal_id=proposal.id,
        contract_id=contract.id,
        version=proposal.version,
        signed_at=now(),
        **values,
    )
    win_deal(proposal.deal_id)
    # Their unique keys decide, before a job refers to them.
    insert_together([contract, signature] if is_new else [signature])
    if is_new:
        record_activity(contract, "signed", to="signed")
    job_id = enqueue("sales.fulfil_signature", signature.id, {"signature_id": str(signature.id)})
    job = {"id": job_id, "kind": "sales.fulfil_signature", "state": "ready", "created_at": now()}
    return Signed(proposal.id, signature.id, job)


def _agree(proposal: Proposal, evidence: Evidence) -> list[dict[str, Any]] | None:
    """Settle what the client takes of the proposal and what that costs; None without a choice.

    Raises Invalid naming `selection`.
    """
    if not proposal.has_choices:
        if evidence.selection:
            raise Invalid({"selection": [NOTHING_TO_CHOOSE]})
        return None
    chosen = choose(items_of([proposal])[proposal.id], evidence.selection)
    proposal.total = total_of(chosen, proposal.discount)
    return kept(chosen)


def _sign_contract(proposal: Proposal) -> tuple[Contract, bool]:
    """Sign the proposal's contract; made here, and not inserted yet, unless there is one already.

    Says whether it was made here.
    """
    contract = db.session.scalars(
        select(Contract)
        .where(
            Contract.organization_id == current_organization_id(),
            Contract.proposal_id == proposal.id,
        )
        .with_for_update()
    ).one_or_none()
    if contract is None:
        contract = Contract(
            id=uuid7(),
            organization_id=current_organization_id(),
            number=next_number("contract"),
            name=proposal.name,
            status="signed",
            proposal_id=proposal.id,
            deal_id=proposal.deal_id,
            client_company_id=proposal.client_company_id,
            contact_id=proposal.contact_id,
            content_sha256=proposal.content_sha256,
            currency=proposal.currency,
            total_value=proposal.total,
            billing=proposal.billing,
            start_date=today(),
            signed_at=now(),
        )
        return contract, True
    contract.content_sha256 = proposal.content_sha256
    contract.signed_at = now()
    move(contract, CONTRACT, "signed", type="signed")
    return contract, False
