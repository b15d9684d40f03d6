"""What a signature creates, all or nothing (sign-flow.md, *Fulfilment*).

The UNIQUE keys on proposal, proposal item and contract are the last line of defence: whatever
runs twice, there is one engagement, one order, and one project for each item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from models.billing import Invoice, InvoiceSchedule, Order, OrderItem
from models.conversations import Conversation
from models.crm import ClientCompany, Contact
from models.db.base import TenantRecord, db, uuid7
from models.db.inserts import insert_together
from models.db.queries import CompiledQuery, bound
from models.db.tenancy import current_organization_id, current_principal
from models.engagements import Engagement, EngagementContract
from models.portal import PortalAccess
from models.projects import PhaseChange, Project
from models.sales import Proposal, Signature
from models.states import PHASE
from webapp.services.activity.events import record_activity
from webapp.services.billing.drafts import Client, drafted
from webapp.services.billing.numbers import next_numbers
from webapp.services.billing.schedules import plan_of
from webapp.services.billing.terms import scheduled
from webapp.services.common.writes import now, today, touch
from webapp.services.custom_fields.defaults import defaults_of
from webapp.services.identity.organization import default_tax
from webapp.services.jobs.enqueue import enqueue
from webapp.services.projects.plans import planned
from webapp.services.sales.choices import ChosenItem, choose, kept_before
from webapp.services.sales.content import client_name, items_of
from webapp.services.sales.named_engagement import counts, engagement_to_extend, may_look_in


def fulfil_signatures(signature_ids: Sequence[UUID]) -> None:
    """Create what the signed proposals promise; a second time finds nothing to do.

    Locks in the order proposal → engagement → project → order (sign-flow.md, *Lock order*): of
    all, before the first number is taken. What is new goes to the database in one statement.
    """
    promises = _lock_signed(signature_ids)
    defaults = defaults_of("engagement", "project")
    items = items_of([promise.proposal for promise in promises])
    accesses: dict[tuple[UUID, UUID], PortalAccess] = {}
    for promise in promises:
        selection = kept_before(promise.selection)
        promise.items = choose(items[promise.proposal.id], selection)
        promise.engagement, promise.is_new = _engagement(promise, defaults["engagement"])
        promise.projects = _projects(promise.engagement, promise.items, defaults["project"])
        for access in _access(promise.engagement, promise.proposal, promise.is_new):
            accesses.setdefault((access.engagement_id, access.contact_id), access)
    projects = [project for promise in promises for project in promise.projects]
    plans = planned(projects)
    # Late, because the series stays locked from here on.
    numbers = next_numbers("order", len(promises))
    made = [
        record
        for promise, number in zip(promises, numbers, strict=True)
        for record in _bill(promise, number)
    ]
    insert_together(
        [
            *(promise.engagement for promise in promises if promise.is_new),
            *(EngagementContract(engagement_id=promise.engagement.id,
                                 contract_id=promise.contract_id) for promise in promises),
            *projects,
            *_first_steps(projects),
            *(Conversation(project_id=project.id, subject=project.name) for project in projects),
            *plans,
            *accesses.values(),
            *made,
        ]
    )  # fmt: skip
    for promise in promises:
        _conclude(promise)


@dataclass(slots=True)
class _Promise:
    """A signed proposal, locked, and what it becomes."""

    signature_id: UUID
    contract_id: UUID | None
    proposal: Proposal
    client_name: str
    selection: Sequence[dict[str, Any]] | None
    items: Sequence[ChosenItem] = ()
    engagement: Engagement = field(init=False)
    is_new: bool = field(init=False)  # and not inserted yet
    projects: Sequence[Project] = ()
    order: Order = field(init=False)
    invoice: Invoice | None = None


def _lock_signed(signature_ids: Sequence[UUID]) -> list[_Promise]:
    """The signatures' proposals that are not carried out yet, locked.

    A signature is carried out whatever happened to the offer since: a deleted one is found too,
    and so are its client and contact.
    """
    found = db.session.execute(
        select(
            Signature.id,
            Signature.contract_id,
            Signature.selection,
            Proposal,
            ClientCompany.name.label("company"),
            Contact.first_name,
            Contact.last_name,
        )
        .join(
            Proposal,
            (Proposal.organization_id == Signature.organization_id)
            & (Proposal.id == Signature.proposal_id),
        )
        .outerjoin(
            ClientCompany,
            (ClientCompany.organization_id == Proposal.organization_id)
            & (ClientCompany.id == Proposal.client_company_id),
        )
        .outerjoin(
            Contact,
            (Contact.organization_id == Proposal.organization_id)
            & (Contact.id == Proposal.contact_id),
        )
        .where(
            Signature.organization_id == current_organization_id(),
            Signature.id.in_(signature_ids),
        )
        .order_by(Proposal.id)
        .with_for_update(of=Proposal)
    ).all()
    return [
        _Promise(
            row.id,
            row.contract_id,
            row.Proposal,
            client_name(row.company, row.first_name, row.last_name),
            row.selection,
        )
        for row in found
        if row.Proposal.converted_engagement_id is None
    ]


def _engagement(promise: _Promise, custom_fields: Mapping[str, Any]) -> tuple[Engagement, bool]:
    """The engagement the proposal names if it can still take it, else a new one; and whether it is.

    A new one is not inserted yet.
    """
    proposal = promise.proposal
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
        contract_id=promise.contract_id,
        deal_id=proposal.deal_id,
        client_company_id=proposal.client_company_id,
        contact_id=proposal.contact_id,
        owner_id=proposal.owner_id,
        name=f"{promise.client_name[:240]} - Engagement",
        start_date=today(),
        total_value=proposal.total,
        currency=proposal.currency,
        custom_fields=dict(custom_fields),
    )
    return engagement, True


def _projects(
    engagement: Engagement, items: Sequence[ChosenItem], custom_fields: Mapping[str, Any]
) -> list[Project]:
    """One project per chosen item, at Kickoff."""
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
            custom_fields=dict(custom_fields),
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


def _bill(promise: _Promise, number: str) -> list[TenantRecord]:
    """The money record, its schedule by the terms, and what is due of it at once, as a draft."""
    proposal = promise.proposal
    order = Order(
        id=uuid7(),
        number=number,
        engagement_id=promise.engagement.id,
        proposal_id=proposal.id,
        client_company_id=proposal.client_company_id,
        contact_id=proposal.contact_id,
        total=proposal.total,
        discount=proposal.discount,
        currency=proposal.currency,
    )
    order_items = [
        OrderItem(
            id=uuid7(),
            order_id=order.id,
            proposal_item_id=item.id,
            project_id=project.id,
            service_id=item.service_id,
            position=item.position,
            name=item.name,
            description=item.description,
            price=item.price,
            quantity=item.quantity,
            tax_category=item.tax_category,
            tax_rate=item.tax_rate,
            total=item.total,
        )
        for item, project in zip(promise.items, promise.projects, strict=True)
    ]
    schedule = InvoiceSchedule(
        id=uuid7(),
        engagement_id=order.engagement_id,
        order_id=order.id,
        name=proposal.name,
        currency=order.currency,
        **scheduled(proposal.billing, order.total, today()),
    )
    promise.order = order
    made: list[TenantRecord] = [order, *order_items, schedule]
    plan = plan_of(schedule)
    if parts := plan.on(today()):
        client = Client(order.client_company_id, order.contact_id)
        promise.invoice, lines = drafted(
            schedule, client, parts, default_tax(), order_items, order.discount
        )
        made += [promise.invoice, *lines]
    schedule.next_period = plan.after(today())
    return made


def _conclude(promise: _Promise) -> None:
    """Name on the proposal what came of it, tell the log, and ask for what follows."""
    proposal, order = promise.proposal, promise.order
    if promise.is_new:
        record_activity(promise.engagement, "created", metadata={"proposal": proposal.number})
    for project in promise.projects:
        record_activity(project, "created", to=PHASE.initial)
    record_activity(order, "created", metadata={"number": order.number})
    if promise.invoice is not None:
        record_activity(promise.invoice, "created")
    proposal.converted_engagement_id = promise.engagement.id
    proposal.converted_order_id = order.id
    touch(proposal)
    payload = {"signature_id": str(promise.signature_id)}
    enqueue("sales.render_signed_document", promise.signature_id, payload)
    for kind in ("sales.mail_signed", "sales.mail_signed_owner"):
        enqueue(kind, promise.signature_id, payload, ordering_key=f"mail:proposal:{proposal.id}")
