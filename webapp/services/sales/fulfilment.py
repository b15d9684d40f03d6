"""What a signature creates, all or nothing (sign-flow.md, *Fulfilment*).

The UNIQUE keys on proposal, proposal item and contract are the last line of defence: whatever
runs twice, there is one engagement, one order, and one project for each item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import Invoice, InvoiceLine, InvoiceSchedule, Order, OrderItem
from models.conversations import Conversation
from models.db.base import db, uuid7
from models.db.inserts import insert_together
from models.db.queries import CompiledQuery, bound
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement, EngagementContract
from models.portal import PortalAccess
from models.projects import PhaseChange, Project
from models.sales import Proposal, ProposalItem, Signature
from models.states import PHASE
from webapp.services.activity.events import record_activity
from webapp.services.billing.numbers import next_number
from webapp.services.common.writes import now, today, touch
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.content import items_of, name_of_client
from webapp.services.sales.named_engagement import counts, engagement_to_extend, may_look_in
from webapp.services.sales.templates import planned


def fulfil_signature(signature_id: UUID) -> None:
    """Create what the signed proposal promises; a second time finds nothing to do.

    Locks in the order proposal → engagement → project → order (sign-flow.md, *Lock order*). What
    is new goes to the database in one statement.
    """
    proposal, contract_id = _lock_signed(signature_id)
    if proposal.converted_engagement_id is not None:
        return
    items = items_of(proposal)
    engagement, is_new = _engagement(proposal, contract_id)
    projects = _projects(engagement, items)
    order = _order(engagement, proposal)
    schedule, invoice = _bill(engagement, order)
    insert_together(
        [
            *([engagement] if is_new else []),
            EngagementContract(engagement_id=engagement.id, contract_id=contract_id),
            *projects,
            *_first_steps(projects),
            *(Conversation(project_id=project.id, subject=project.name) for project in projects),
            *planned(projects),
            *_access(engagement, proposal, is_new),
            order,
            *_order_items(order, items, projects),
            schedule,
            invoice,
            *(InvoiceLine(invoice_id=invoice.id, position=item.position, **_line(item))
              for item in items),
        ]
    )  # fmt: skip
    if is_new:
        record_activity(engagement, "created", metadata={"proposal": proposal.number})
    for project in projects:
        record_activity(project, "created", to=PHASE.initial)
    record_activity(order, "created", metadata={"number": order.number})
    record_activity(invoice, "created")
    proposal.converted_engagement_id = engagement.id
    proposal.converted_order_id = order.id
    touch(proposal)
    for kind in ("sales.render_signed_document", "sales.mail_signed", "sales.mail_signed_owner"):
        enqueue(
            kind,
            signature_id,
            {"signature_id": str(signature_id)},
            ordering_key=f"mail:proposal:{proposal.id}" if kind.startswith("sales.mail") else None,
        )


def _lock_signed(signature_id: UUID) -> tuple[Proposal, UUID | None]:
    """The signature's proposal, locked, and its contract.

    A signature is carried out whatever happened to the offer since: a deleted one is found too.
    """
    found = db.session.execute(
        select(Proposal, Signature.contract_id)
        .join(
            Signature,
            (Signature.organization_id == Proposal.organization_id)
            & (Signature.proposal_id == Proposal.id),
        )
        .where(Signature.organization_id == current_organization_id(), Signature.id == signature_id)
        .with_for_update(of=Proposal)
    ).one()
    return found.Proposal, found.contract_id


def _engagement(proposal: Proposal, contract_id: UUID | None) -> tuple[Engagement, bool]:
    """The engagement the proposal names if it can still take it, else a new one; and whether it is.

    A new one is not inserted yet.
    """
    named = engagement_to_extend(proposal)
    if named is not None:
        if counts(named, proposal):
            named.currency = proposal.currency
            named.total_value = (named.total_value or 0) + proposal.total
        touch(named)
        record_activity(named, "extended", metadata={"proposal": proposal.number})
        return named, False
    engagement = Engagement(
        id=uuid7(),
        proposal_id=proposal.id,
        contract_id=contract_id,
        deal_id=proposal.deal_id,
        client_company_id=proposal.client_company_id,
        contact_id=proposal.contact_id,
        owner_id=proposal.owner_id,
        name=f"{name_of_client(proposal)[:240]} - Engagement",
        start_date=today(),
        total_value=proposal.total,
        currency=proposal.currency,
    )
    return engagement, True


def _projects(engagement: Engagement, items: Sequence[ProposalItem]) -> list[Project]:
    """One project per item, at Kickoff."""
    return [
        Project(
            id=uuid7(),
            engagement_id=engagement.id,
            service_id=item.service_id,
            proposal_item_id=item.id,
            name=item.name,
            description=item.description,
            status="active",
            phase=PHASE.initial,
            start_date=today(),
        )
        for item in items
    ]


def _first_steps(projects: Sequence[Project]) -> list[PhaseChange]:
    actor = current_principal().actor
    return [
        PhaseChange(project_id=project.id, to_phase=PHASE.initial, actor=actor, changed_at=now())
        for project in projects
    ]


_ACCESS = CompiledQuery.of(
    select(PortalAccess.id).where(
        PortalAccess.engagement_id == bound("engagement_id", Engagement.id.type),
        PortalAccess.contact_id == bound("contact_id", Engagement.id.type),
    )
)


def _access(engagement: Engagement, proposal: Proposal, is_new: bool) -> list[PortalAccess]:
    """The contact's way into the portal, unless they have access already.

    Not into another company's engagement, even where staff let the proposal into it.
    """
    contact_id = proposal.contact_id
    if contact_id is None:
        return []
    if not is_new and (
        not may_look_in(engagement, proposal)
        or _ACCESS.all(engagement_id=engagement.id, contact_id=contact_id)
    ):
        return []
    return [PortalAccess(engagement_id=engagement.id, contact_id=contact_id)]


def _order(engagement: Engagement, proposal: Proposal) -> Order:
    """The money record; its number is taken late, because the series stays locked after it."""
    return Order(
        id=uuid7(),
        number=next_number("order"),
        engagement_id=engagement.id,
        proposal_id=proposal.id,
        client_company_id=proposal.client_company_id,
        contact_id=proposal.contact_id,
        total=proposal.total,
        currency=proposal.currency,
    )


def _order_items(
    order: Order, items: Sequence[ProposalItem], projects: Sequence[Project]
) -> list[OrderItem]:
    return [
        OrderItem(
            order_id=order.id,
            proposal_item_id=item.id,
            project_id=project.id,
            position=item.position,
            **_line(item),
            service_id=item.service_id,
        )
        for item, project in zip(items, projects, strict=True)
    ]


def _bill(engagement: Engagement, order: Order) -> tuple[InvoiceSchedule, Invoice]:
    """The schedule, and the first invoice as a draft for staff to send."""
    starts_on = today()
    schedule = InvoiceSchedule(
        id=uuid7(),
        engagement_id=engagement.id,
        order_id=order.id,
        kind="once",
        currency=order.currency,
        amount=order.total,
        starts_on=starts_on,
    )
    invoice = Invoice(
        id=uuid7(),
        engagement_id=engagement.id,
        order_id=order.id,
        schedule_id=schedule.id,
        period=starts_on.isoformat(),
        currency=order.currency,
        subtotal=order.total,
        total=order.total,
    )
    return schedule, invoice


def _line(item: ProposalItem) -> dict[str, Any]:
    return {
        "name": item.name,
        "description": item.description,
        "price": item.price,
        "quantity": item.quantity,
        "total": item.total,
    }
