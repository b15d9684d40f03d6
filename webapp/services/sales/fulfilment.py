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
from models.db.base import db
from models.db.inserts import insert_records
from models.db.queries import CompiledQuery, bound
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement, EngagementContract
from models.portal import PortalAccess
from models.projects import PhaseChange, Project
from models.sales import Proposal, ProposalItem, Signature
from models.states import PHASE
from webapp.services.activity.events import record_activity
from webapp.services.billing.numbers import next_number
from webapp.services.common.writes import create, now, today, touch
from webapp.services.jobs.enqueue import enqueue
from webapp.services.sales.content import client_name, client_of, items_of
from webapp.services.sales.named_engagement import counts, engagement_to_extend, may_look_in
from webapp.services.sales.templates import apply_templates


def fulfil_signature(signature_id: UUID) -> None:
    """Create what the signed proposal promises; a second time finds nothing to do.

    Locks in the order proposal → engagement → project → order (sign-flow.md, *Lock order*).
    """
    signature = db.session.get_one(Signature, (current_organization_id(), signature_id))
    assert signature.proposal_id is not None
    proposal = lock_even_deleted(signature.proposal_id)
    if proposal.converted_engagement_id is not None:
        return
    items = items_of(proposal)
    engagement = _engagement(proposal, signature)
    insert_records(
        [EngagementContract(engagement_id=engagement.id, contract_id=signature.contract_id)]
    )
    projects = _projects(engagement, items)
    apply_templates(projects)
    _grant_access(engagement, proposal)
    order = _order(engagement, proposal, items, projects)
    _bill(engagement, order, items)
    proposal.converted_engagement_id = engagement.id
    proposal.converted_order_id = order.id
    touch(proposal)
    for kind in ("sales.render_signed_document", "sales.mail_signed", "sales.mail_signed_owner"):
        enqueue(
            kind,
            signature.id,
            {"signature_id": str(signature.id)},
            ordering_key=f"mail:proposal:{proposal.id}" if kind.startswith("sales.mail") else None,
        )


def lock_even_deleted(proposal_id: UUID) -> Proposal:
    """The proposal, locked; a signature is carried out whatever happened to the offer since."""
    return db.session.scalars(
        select(Proposal)
        .where(Proposal.organization_id == current_organization_id(), Proposal.id == proposal_id)
        .with_for_update()
    ).one()


def _engagement(proposal: Proposal, signature: Signature) -> Engagement:
    """The engagement the proposal names if it can still take it, else a new one."""
    named = engagement_to_extend(proposal)
    if named is not None:
        if counts(named, proposal):
            named.currency = proposal.currency
            named.total_value = (named.total_value or 0) + proposal.total
        touch(named)
        record_activity(named, "extended", metadata={"proposal": proposal.number})
        return named
    company, contact = client_of(proposal)
    engagement = Engagement(
        proposal_id=proposal.id,
        contract_id=signature.contract_id,
        deal_id=proposal.deal_id,
        client_company_id=proposal.client_company_id,
        contact_id=proposal.contact_id,
        owner_id=proposal.owner_id,
        name=f"{client_name(company, contact)[:240]} - Engagement",
        start_date=today(),
        total_value=proposal.total,
        currency=proposal.currency,
    )
    return create(engagement, metadata={"proposal": proposal.number})


def _projects(engagement: Engagement, items: Sequence[ProposalItem]) -> list[Project]:
    """One project per item, at Kickoff, each with a conversation of its own."""
    projects = [
        Project(
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
    insert_records(projects)
    actor = current_principal().actor
    insert_records(
        [
            PhaseChange(
                project_id=project.id, to_phase=PHASE.initial, actor=actor, changed_at=now()
            )
            for project in projects
        ]
    )
    insert_records(
        [Conversation(project_id=project.id, subject=project.name) for project in projects]
    )
    for project in projects:
        record_activity(project, "created", to=PHASE.initial)
    return projects


_ACCESS = CompiledQuery.of(
    select(PortalAccess.id).where(
        PortalAccess.engagement_id == bound("engagement_id", Engagement.id.type),
        PortalAccess.contact_id == bound("contact_id", Engagement.id.type),
    )
)


def _grant_access(engagement: Engagement, proposal: Proposal) -> None:
    """Let the contact into the portal, unless they have access already.

    Not into another company's engagement, even where staff let the proposal into it.
    """
    if proposal.contact_id is None:
        return
    is_new = engagement.proposal_id == proposal.id
    if not is_new and not may_look_in(engagement, proposal):
        return
    if is_new or not _ACCESS.all(engagement_id=engagement.id, contact_id=proposal.contact_id):
        insert_records([PortalAccess(engagement_id=engagement.id, contact_id=proposal.contact_id)])


def _order(
    engagement: Engagement,
    proposal: Proposal,
    items: Sequence[ProposalItem],
    projects: Sequence[Project],
) -> Order:
    """The money record; its number is taken late, because the series stays locked after it."""
    order = Order(
        number=next_number("order"),
        engagement_id=engagement.id,
        proposal_id=proposal.id,
        client_company_id=proposal.client_company_id,
        contact_id=proposal.contact_id,
        total=proposal.total,
        currency=proposal.currency,
    )
    create(order, metadata={"number": order.number})
    insert_records(
        [
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
    )
    return order


def _bill(engagement: Engagement, order: Order, items: Sequence[ProposalItem]) -> None:
    """The schedule, and the first invoice as a draft for staff to send."""
    starts_on = today()
    schedule = InvoiceSchedule(
        engagement_id=engagement.id,
        order_id=order.id,
        kind="once",
        currency=order.currency,
        amount=order.total,
        starts_on=starts_on,
    )
    insert_records([schedule])
    invoice = Invoice(
        engagement_id=engagement.id,
        order_id=order.id,
        schedule_id=schedule.id,
        period=starts_on.isoformat(),
        currency=order.currency,
        subtotal=order.total,
        total=order.total,
    )
    create(invoice)
    insert_records(
        [
            InvoiceLine(invoice_id=invoice.id, position=item.position, **_line(item))
            for item in items
        ]
    )


def _line(item: ProposalItem) -> dict[str, Any]:
    return {
        "name": item.name,
        "description": item.description,
        "price": item.price,
        "quantity": item.quantity,
        "total": item.total,
    }
