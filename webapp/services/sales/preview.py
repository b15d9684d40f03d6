"""What signing would create: the real thing, done and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import InvoiceSchedule
from models.db.base import db
from models.db.tenancy import current_organization_id
from models.sales import Proposal
from models.states import PHASE
from webapp.services.billing.numbers import no_numbers
from webapp.services.billing.schedules import plan_of
from webapp.services.common.previews import taken_back
from webapp.services.common.writes import lock
from webapp.services.sales.evidence import Evidence
from webapp.services.sales.fulfilment import fulfil_signatures
from webapp.services.sales.queries import created_by
from webapp.services.sales.sending import send_proposal
from webapp.services.sales.signing import sign_proposal


def preview_signature(
    proposal_id: UUID, selection: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Sign and fulfil inside a savepoint, look, and roll it back: so the preview cannot differ.

    A draft is sent first in the same way. No number is taken, so that nobody else's signature
    waits for a preview; the proposal, its deal and the engagement it names are locked until then.
    `selection` is what the client would choose, and `invoices` tells what would be billed when.
    Raises what sending or signing would raise.
    """
    with taken_back():
        if lock(Proposal, proposal_id).status == "draft":
            send_proposal(proposal_id, b"preview")
        with no_numbers():
            signed = sign_proposal(
                proposal_id,
                Evidence("Preview", None, "recorded", recorded_by="preview", selection=selection),
            )
            fulfil_signatures([signed.signature_id])
        created = created_by(proposal_id)
        invoices = _invoices_to_come(created["order"]["id"])
        proposal = db.session.get_one(Proposal, (current_organization_id(), proposal_id))
        is_new = proposal.engagement_id != proposal.converted_engagement_id
    engagement = created["engagement"]
    if is_new:
        engagement["id"] = None
    created["order"].update(id=None, number=None, engagement_id=engagement["id"])
    return {
        "creates_engagement": is_new,
        "engagement": engagement,
        "projects": [
            {
                "name": project["name"],
                "phase": PHASE.label(project["phase"]),
                "phase_id": PHASE.number(project["phase"]),
            }
            for project in created["projects"]
        ],
        "order": created["order"],
        "invoices": invoices,
    }


def _invoices_to_come(order_id: UUID) -> list[dict[str, Any]]:
    """All that the order's schedule will bill, the first draft included."""
    schedule = db.session.scalars(
        select(InvoiceSchedule).where(
            InvoiceSchedule.organization_id == current_organization_id(),
            InvoiceSchedule.order_id == order_id,
        )
    ).one()
    return [
        {"date": part.on, "amount": part.amount, "name": part.name}
        for part in plan_of(schedule).parts()
    ]
