"""What the purge may take, and what holds it back: the rules, as a table (retention.md, *Purge*).

A trashed record goes `retention_days` after its deletion. What was trashed with an engagement
stays as long as that does, so that it is restored whole. Money and signatures stay for
`financial_retention_years`, counted from their own time, and keep what they stand on and the
client they name; a legal hold keeps an engagement, all below it, and whom it names. After the
years a trashed engagement takes along what was signed for it: the money first, then the evidence,
then the work, then the engagement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    false,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from models.activity import ActivityEvent
from models.billing import Invoice, InvoiceLine, InvoiceSchedule, Order, OrderItem
from models.catalog import (
    EngagementTemplate,
    EngagementTemplateService,
    ProjectTemplate,
    ProjectTemplateMilestone,
    ProjectTemplateTask,
    Service,
)
from models.contracts import Contract
from models.conversations import Conversation, Message, ReadMarker
from models.crm import ClientCompany, Contact, Deal
from models.engagements import (
    Engagement,
    EngagementContract,
    EngagementHealth,
    EngagementHealthChange,
)
from models.files import FileObject, FileVersion
from models.identity import Credential, LoginSession, Membership
from models.payments import (
    BillingDocument,
    CreditNote,
    CreditNoteLine,
    Payment,
    PaymentAllocation,
)
from models.portal import PortalAccess
from models.projects import Milestone, PhaseChange, PhaseDueDate, Project, Task
from models.sales import (
    Proposal,
    ProposalItem,
    ProposalVersion,
    Signature,
    SignedDocument,
    SigningLink,
)

Condition = ColumnElement[bool]
Below = tuple[Any, Condition]

# Given at each run: the organization, the records at hand, and the two ends of retention.
TENANT = bindparam("organization_id", type_=Uuid())
IDS = bindparam("ids", type_=ARRAY(Uuid()))
GONE_BEFORE = bindparam("gone_before", type_=DateTime(timezone=True))
SETTLED_BEFORE = bindparam("settled_before", type_=DateTime(timezone=True))

_NEVER = false()
_Held = aliased(Engagement, name="held")
_Whole = aliased(Engagement, name="whole")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of trashed record: when it is kept all the same, and what goes before it."""

    model: Any
    below: tuple[Below, ...] = ()
    kept: Condition = _NEVER


def below(column: Any, *, of: Any = None) -> Below:
    """The rows whose `column` names a record at hand, or a record whose column `of` does."""
    if of is None:
        return column.class_, column == any_(IDS)
    return column.class_, column.in_(_ids(of))


def _ids(column: Any) -> Any:
    """The ids of the rows whose `column` names a record at hand."""
    model = column.class_
    return select(model.id).where(model.organization_id == TENANT, column == any_(IDS))


def _there_is(*conditions: Condition, of: tuple[Any, ...]) -> Condition:
    """Whether there are rows of the tables `of` that meet the conditions together."""
    return exists().where(*(model.organization_id == TENANT for model in of), *conditions)


def _on_hold(condition: Condition, *through: Any) -> Condition:
    """Whether an engagement on legal hold meets `condition`; `through` are tables in between."""
    return _there_is(_Held.legal_hold.is_(True), condition, of=(_Held, *through))


def _project_on_hold(project_id: Any) -> Condition:
    return _on_hold(and_(Project.id == project_id, _Held.id == Project.engagement_id), Project)


def _went_with_engagement(model: Any) -> Condition:
    """Whether the record was trashed as a part of an engagement that is still there."""
    return _there_is(_Whole.deletion_batch_id == model.deletion_batch_id, of=(_Whole,))


def _money_is_young() -> Condition:
    """Whether an engagement has an order, issued invoice, payment, credit note or signature
    that is still inside its years."""
    of_invoice = Invoice.engagement_id == Engagement.id
    issued = func.greatest(Invoice.created_at, Invoice.issued_on)
    signed_for = and_(
        Proposal.converted_engagement_id == Engagement.id, Signature.proposal_id == Proposal.id
    )
    return or_(
        _there_is(
            Order.engagement_id == Engagement.id, Order.created_at >= SETTLED_BEFORE, of=(Order,)
        ),
        _there_is(of_invoice, Invoice.number.is_not(None), issued >= SETTLED_BEFORE, of=(Invoice,)),
        _there_is(
            of_invoice,
            PaymentAllocation.invoice_id == Invoice.id,
            Payment.id == PaymentAllocation.payment_id,
            Payment.received_at >= SETTLED_BEFORE,
            of=(Payment, PaymentAllocation, Invoice),
        ),
        _there_is(
            of_invoice,
            CreditNote.invoice_id == Invoice.id,
            CreditNote.issued_on >= SETTLED_BEFORE,
            of=(CreditNote, Invoice),
        ),
        _there_is(signed_for, Signature.signed_at >= SETTLED_BEFORE, of=(Signature, Proposal)),
    )


def _named_by_young_money(client_id: Any, column: str) -> Condition:
    """Whether money or a signature inside its years names the client in its `column`."""
    named = {model: getattr(model, column) == client_id for model in (Order, Proposal, Contract)}
    return or_(
        _there_is(named[Order], Order.created_at >= SETTLED_BEFORE, of=(Order,)),
        _there_is(named[Contract], Contract.signed_at >= SETTLED_BEFORE, of=(Contract,)),
        _there_is(
            named[Proposal],
            Signature.proposal_id == Proposal.id,
            Signature.signed_at >= SETTLED_BEFORE,
            of=(Proposal, Signature),
        ),
        _there_is(getattr(Engagement, column) == client_id, _money_is_young(), of=(Engagement,)),
    )


def _credit_notes() -> Any:
    """The ids of the credit notes on the invoices of the engagements at hand."""
    return select(CreditNote.id).where(
        CreditNote.organization_id == TENANT,
        CreditNote.invoice_id.in_(_ids(Invoice.engagement_id)),
    )


def _settles_nothing_else() -> Condition:
    """Whether a payment has settled invoices of the engagements at hand and no others.

    What it settled, and what of it went back, goes with it.
    """
    here = _ids(Invoice.engagement_id)
    settled = PaymentAllocation.payment_id == Payment.id
    return and_(
        _there_is(settled, PaymentAllocation.invoice_id.in_(here), of=(PaymentAllocation,)),
        not_(
            _there_is(settled, PaymentAllocation.invoice_id.not_in(here), of=(PaymentAllocation,))
        ),
    )


def _of_proposals(proposals: Any) -> tuple[Below, ...]:
    """What goes before proposals (a query for their ids): evidence, links, contents."""
    links = select(SigningLink.credential_id).where(
        SigningLink.organization_id == TENANT, SigningLink.proposal_id.in_(proposals)
    )
    return (
        (SignedDocument, SignedDocument.proposal_id.in_(proposals)),
        (Signature, Signature.proposal_id.in_(proposals)),
        (Contract, and_(Contract.proposal_id.in_(proposals), Contract.status == "signed")),
        (Credential, Credential.id.in_(links)),
        (SigningLink, SigningLink.proposal_id.in_(proposals)),
        (ProposalVersion, ProposalVersion.proposal_id.in_(proposals)),
        (ProposalItem, ProposalItem.proposal_id.in_(proposals)),
    )


def _credentials_of_contracts() -> Any:
    """What lets in who holds the links of the contracts at hand."""
    return select(SigningLink.credential_id).where(
        SigningLink.organization_id == TENANT, SigningLink.contract_id == any_(IDS)
    )


def _of_projects(projects: Any) -> tuple[Below, ...]:
    """What goes before projects (a query for their ids): talk, tasks, milestones, history."""
    conversations = select(Conversation.id).where(
        Conversation.organization_id == TENANT, Conversation.project_id.in_(projects)
    )
    return (
        (PhaseChange, PhaseChange.project_id.in_(projects)),
        (PhaseDueDate, PhaseDueDate.project_id.in_(projects)),
        (Task, Task.project_id.in_(projects)),
        (Milestone, Milestone.project_id.in_(projects)),
        (ReadMarker, ReadMarker.conversation_id.in_(conversations)),
        (Message, Message.conversation_id.in_(conversations)),
        (Conversation, Conversation.project_id.in_(projects)),
    )


# In the order of the purge: children before their parents. What else hangs on a row (a reading
# of the foreign keys' ON DELETE) is emptied or taken by the database itself.
RULES = (
    Rule(
        Message,
        kept=or_(
            _went_with_engagement(Message),
            _on_hold(
                and_(
                    Conversation.id == Message.conversation_id,
                    Project.id == Conversation.project_id,
                    _Held.id == Project.engagement_id,
                ),
                Conversation,
                Project,
            ),
        ),
    ),
    Rule(
        Conversation,
        below=(below(ReadMarker.conversation_id), below(Message.conversation_id)),
        kept=or_(_went_with_engagement(Conversation), _project_on_hold(Conversation.project_id)),
    ),
    Rule(Task, kept=or_(_went_with_engagement(Task), _project_on_hold(Task.project_id))),
    Rule(
        Milestone,
        kept=or_(_went_with_engagement(Milestone), _project_on_hold(Milestone.project_id)),
    ),
    Rule(
        Project,
        below=_of_projects(_ids(Project.id)),
        kept=or_(_went_with_engagement(Project), _on_hold(_Held.id == Project.engagement_id)),
    ),
    Rule(
        FileObject,
        below=(below(FileVersion.file_id),),
        kept=or_(_went_with_engagement(FileObject), _on_hold(_Held.id == FileObject.engagement_id)),
    ),
    Rule(
        Engagement,
        below=(
            (Payment, _settles_nothing_else()),
            below(PaymentAllocation.invoice_id, of=Invoice.engagement_id),
            below(BillingDocument.invoice_id, of=Invoice.engagement_id),
            (CreditNoteLine, CreditNoteLine.credit_note_id.in_(_credit_notes())),
            (BillingDocument, BillingDocument.credit_note_id.in_(_credit_notes())),
            below(CreditNote.invoice_id, of=Invoice.engagement_id),
            below(InvoiceLine.invoice_id, of=Invoice.engagement_id),
            below(Invoice.engagement_id),
            below(InvoiceSchedule.engagement_id),
            below(OrderItem.order_id, of=Order.engagement_id),
            below(Order.engagement_id),
            *_of_proposals(_ids(Proposal.converted_engagement_id)),
            below(Proposal.converted_engagement_id),
            below(EngagementContract.engagement_id),
            below(EngagementHealth.engagement_id),
            below(EngagementHealthChange.engagement_id),
            below(PortalAccess.engagement_id),
            below(FileVersion.file_id, of=FileObject.engagement_id),
            below(FileObject.engagement_id),
            *_of_projects(_ids(Project.engagement_id)),
            below(Project.engagement_id),
            below(ActivityEvent.engagement_id),
        ),
        kept=or_(Engagement.legal_hold, _money_is_young()),
    ),
    Rule(
        Proposal,
        below=_of_proposals(_ids(Proposal.id)),
        kept=or_(
            _there_is(Order.proposal_id == Proposal.id, of=(Order,)),
            _there_is(
                Signature.proposal_id == Proposal.id,
                Signature.signed_at >= SETTLED_BEFORE,
                of=(Signature,),
            ),
            _on_hold(
                or_(
                    _Held.id == Proposal.converted_engagement_id,
                    _Held.id == Proposal.engagement_id,
                    _Held.proposal_id == Proposal.id,
                )
            ),
        ),
    ),
    Rule(
        Contract,
        below=(
            below(SignedDocument.signature_id, of=Signature.contract_id),
            below(Signature.contract_id),
            (Credential, Credential.id.in_(_credentials_of_contracts())),
            below(SigningLink.contract_id),
            below(EngagementContract.contract_id),
        ),
        kept=or_(
            and_(Contract.signed_at.is_not(None), Contract.signed_at >= SETTLED_BEFORE),
            # Signed with its proposal: one signature for both, and it stays with the proposal.
            _there_is(
                Signature.contract_id == Contract.id,
                or_(Signature.proposal_id.is_not(None), Signature.signed_at >= SETTLED_BEFORE),
                of=(Signature,),
            ),
            _on_hold(_Held.contract_id == Contract.id),
            _on_hold(
                and_(
                    EngagementContract.contract_id == Contract.id,
                    _Held.id == EngagementContract.engagement_id,
                ),
                EngagementContract,
            ),
        ),
    ),
    Rule(Deal, kept=_on_hold(_Held.deal_id == Deal.id)),
    Rule(
        Contact,
        below=(below(PortalAccess.contact_id),),
        kept=or_(
            _on_hold(_Held.contact_id == Contact.id),
            _named_by_young_money(Contact.id, "contact_id"),
        ),
    ),
    Rule(
        ClientCompany,
        kept=or_(
            _on_hold(_Held.client_company_id == ClientCompany.id),
            _named_by_young_money(ClientCompany.id, "client_company_id"),
        ),
    ),
    Rule(Service, below=(below(EngagementTemplateService.service_id),)),
    Rule(
        ProjectTemplate,
        below=(
            below(ProjectTemplateTask.project_template_id),
            below(ProjectTemplateMilestone.project_template_id),
        ),
    ),
    Rule(
        EngagementTemplate,
        below=(below(EngagementTemplateService.engagement_template_id),),
    ),
    Rule(Membership, below=(below(LoginSession.membership_id),)),
)
