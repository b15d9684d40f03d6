"""Recording a signature: the legal fact, in one transaction (sign-flow.md, *Signing*).

Nothing after the commit can undo it; what it leads to is done by the job it leaves behind.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.crm import Deal
from models.db.base import db, uuid7
from models.db.inserts import insert_together
from models.db.tenancy import current_organization_id
from models.sales import (
    MAX_DRAWING_BYTES,
    MAX_DRAWING_LENGTH,
    MAX_TYPED_LENGTH,
    Contract,
    Proposal,
    Signature,
)
from models.states import CONTRACT, DEAL, PROPOSAL
from webapp.services.activity.events import record_activity
from webapp.services.billing.numbers import next_number
from webapp.services.common.exceptions import AlreadySigned, ContentChanged, Invalid
from webapp.services.common.writes import lock, move, now, today
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.named_engagement import check_engagement_to_sign
from webapp.services.sales.sending import check_not_expired, linked_proposal, note_view
from webapp.services.sales.signed_document import is_png_data_url


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who signed, how, and from where; `recorded_by` is set when staff record it for the client."""

    signer_name: str
    signer_email: str | None
    method: str
    data: str | None = None
    consent_text: str | None = None
    consent_version: str | None = None
    locale: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    content_sha256: str | None = None
    recorded_by: str | None = None

    def check(self) -> None:
        """Raises Invalid naming `signature.data` for one that is empty, too long or unreadable."""
        data = self.data or ""
        wrong = None
        if self.method == "typed" and not data.strip():
            wrong = "Type your name as your signature."
        elif self.method == "typed" and len(data) > MAX_TYPED_LENGTH:
            wrong = f"A typed signature is a name: at most {MAX_TYPED_LENGTH} characters."
        elif self.method == "drawn" and len(data) > MAX_DRAWING_LENGTH:
            wrong = f"The drawing is too large: at most {MAX_DRAWING_BYTES // 1000} kB."
        elif self.method == "drawn" and not is_png_data_url(data):
            wrong = "The drawing is not a readable PNG; draw again."
        if wrong:
            raise Invalid({"signature.data": [wrong]})


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
    if PROPOSAL.allows(proposal.status, "signed"):
        check_not_expired(proposal)
        if evidence.content_sha256 not in (None, proposal.content_sha256):
            raise ContentChanged()
        evidence.check()
        check_engagement_to_sign(proposal)
        proposal.signed_at = now()
    move(proposal, PROPOSAL, "signed", type="signed", metadata={"version": proposal.version})
    contract, is_new = _sign_contract(proposal)
    values = asdict(evidence) | {"content_sha256": proposal.content_sha256}
    signature = Signature(
        id=uuid7(),
        proposal_id=proposal.id,
        contract_id=contract.id,
        version=proposal.version,
        signed_at=now(),
        **values,
    )
    _win_deal(proposal)
    # Their unique keys decide, before a job refers to them.
    insert_together([contract, signature] if is_new else [signature])
    if is_new:
        record_activity(contract, "created")
    job_id = enqueue("sales.fulfil_signature", signature.id, {"signature_id": str(signature.id)})
    job = {"id": job_id, "kind": "sales.fulfil_signature", "state": "ready", "created_at": now()}
    return Signed(proposal.id, signature.id, job)


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
            start_date=today(),
            signed_at=now(),
        )
        return contract, True
    contract.content_sha256 = proposal.content_sha256
    contract.signed_at = now()
    move(contract, CONTRACT, "signed", type="signed")
    return contract, False


def _win_deal(proposal: Proposal) -> None:
    """The proposal's deal is won; a signature is the only way there (rulings.md, *Deal stages*)."""
    if proposal.deal_id is None:
        return
    deal = db.session.scalars(
        select(Deal)
        .where(Deal.organization_id == current_organization_id(), Deal.id == proposal.deal_id)
        .with_for_update()
    ).one_or_none()
    if deal is None or deal.stage == "won":
        return
    if not DEAL.allows(deal.stage, "won"):
        # It was given up before the client signed after all: it is open again, and won.
        deal.closed_at = None
        move(deal, DEAL, "lead")
    deal.closed_at = now()
    deal.lost_reason = None
    move(deal, DEAL, "won")
