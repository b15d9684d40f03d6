"""Engagements on the wire (E, *Field Reference*; rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validates_schema

from models.states import CONVERSATION, ENGAGEMENT, PHASE, PROJECT
from webapp.schemas.common import (
    NAME,
    Currency,
    Day,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    Related,
    StateIn,
    StateLabel,
    StateNumber,
    check_order,
    flag,
    name,
    reason,
    reference,
    text,
)
from webapp.schemas.crm import CompanyBrief, CompanyOut, ContactBrief, ContactOut


class EngagementChange(Input):
    """The fields of an engagement a client may set."""

    name = name()
    description = text()
    status = StateIn(ENGAGEMENT)
    start_date = Day(allow_none=True)
    end_date = Day(allow_none=True)
    total_value = Money(allow_none=True)
    currency = Currency(allow_none=True)
    owner_id = PlainText(validate=NAME)
    client_company_id = reference()
    contact_id = reference()
    deal_id = reference()
    contract_id = reference()
    custom_fields = fields.Dict(keys=PlainText())

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_order(data, "start_date", "end_date")


class EngagementCreate(EngagementChange):
    name = name(required=True)


class LegalHoldIn(Input):
    """`held` sets the hold or lifts it; the reason is kept on the timeline."""

    held = flag(required=True)
    reason = reason(required=True)


class ProjectBrief(Output):
    id = fields.UUID()
    name = fields.String()
    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    status = StateLabel(PROJECT)
    status_id = StateNumber(PROJECT)


class ConversationBrief(Output):
    id = fields.UUID()
    project_id = fields.UUID()
    subject = fields.String()
    status = StateLabel(CONVERSATION)
    status_id = StateNumber(CONVERSATION)
    last_message_at = Moment(allow_none=True)
    unread_count = fields.Integer()


class DraftInvoiceBrief(Output):
    id = fields.UUID()
    currency = Currency()
    total = Money()
    period = fields.String(allow_none=True)


class EngagementOut(Output):
    """An engagement; `projects`, `conversations` and `draft_invoices` are there where one is
    retrieved or changed."""

    id = fields.UUID()
    organization_id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    status = StateLabel(ENGAGEMENT)
    status_id = StateNumber(ENGAGEMENT)
    start_date = Day(allow_none=True)
    end_date = Day(allow_none=True)
    total_value = Money(allow_none=True)
    currency = Currency(allow_none=True)
    owner_id = fields.String()
    client_company_id = fields.UUID(allow_none=True)
    client_company = Related(CompanyBrief, whole=CompanyOut, allow_none=True)
    contact_id = fields.UUID(allow_none=True)
    contact = Related(ContactBrief, whole=ContactOut, allow_none=True)
    deal_id = fields.UUID(allow_none=True)
    contract_id = fields.UUID(allow_none=True)
    proposal_id = fields.UUID(allow_none=True)
    health = fields.String()
    legal_hold = fields.Boolean()
    legal_hold_reason = fields.String(allow_none=True)
    custom_fields = fields.Dict()
    created_at = Moment()
    updated_at = Moment()
    closed_at = Moment(allow_none=True)
    deleted_at = Moment(allow_none=True)
    projects = fields.List(fields.Nested(ProjectBrief))
    conversations = fields.List(fields.Nested(ConversationBrief))
    draft_invoices = fields.List(fields.Nested(DraftInvoiceBrief))


class HealthReason(Output):
    """What counts against an engagement: its kind, the record it is about, and it in words."""

    kind = fields.String()
    id = fields.UUID()
    detail = fields.String()


class HealthChange(Output):
    from_ = fields.String(data_key="from", attribute="from_status")
    to = fields.String(attribute="to_status")
    reasons = fields.List(fields.Nested(HealthReason))
    changed_at = Moment()


class HealthOut(Output):
    """How an engagement fares, since when and why; `history` has its last changes first."""

    status = fields.String()
    since = Moment()
    reasons = fields.List(fields.Nested(HealthReason))
    computed_at = Moment(allow_none=True)
    history = fields.List(fields.Nested(HealthChange))
