"""Engagement templates on the wire (rulings.md, *Templates*)."""

from __future__ import annotations

from marshmallow import fields, validate

from models.billing import SCHEDULE_KINDS
from models.catalog import MAX_DUE_OFFSET_DAYS
from models.states import PHASE
from webapp.schemas.common import (
    NAME,
    Currency,
    Day,
    DecimalText,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateLabel,
    StateNumber,
    WholeNumber,
    flag,
    name,
    reference,
    text,
)
from webapp.schemas.invoices import above_zero
from webapp.schemas.schedules import PartOut
from webapp.schemas.terms import TermsOut

TARGETS = ("proposal", "engagement")
_OFFSET = validate.Range(0, MAX_DUE_OFFSET_DAYS)
_BY_KIND = {"x-depends-on": "kind"}


class TemplateServiceIn(Input):
    """A line: a service, whose name, description and price it takes unless it has its own; or
    neither, with a name and a price. Its project has a conversation of each subject."""

    service_id = reference()
    name = PlainText(allow_none=True, validate=NAME)
    description = text()
    price = Money(allow_none=True)
    quantity = WholeNumber(load_default=1, validate=validate.Range(1, 100_000))
    conversations = fields.List(
        PlainText(validate=NAME), load_default=list, validate=validate.Length(max=20)
    )


class TemplateMilestonePartIn(Input):
    """A part of the amount, in percent, invoiced so many days after the start."""

    name = name(required=True)
    percent = WholeNumber(required=True, validate=validate.Range(1, 100))
    offset_days = WholeNumber(required=True, validate=_OFFSET)


class TemplateScheduleIn(Input):
    """How it is invoiced, in days after the start. Without an amount it is what the services cost;
    what recurs says its amount. Each kind takes the fields of its own alone."""

    kind = PlainText(required=True, validate=validate.OneOf(SCHEDULE_KINDS))
    name = name()
    amount = Money(allow_none=True, validate=above_zero)
    start_offset_days = WholeNumber(load_default=0, validate=_OFFSET)
    end_offset_days = WholeNumber(allow_none=True, validate=_OFFSET, metadata=_BY_KIND)
    deposit_percent = WholeNumber(validate=validate.Range(1, 99), metadata=_BY_KIND)
    rest_offset_days = WholeNumber(validate=_OFFSET, metadata=_BY_KIND)
    milestones = fields.List(
        fields.Nested(TemplateMilestonePartIn), validate=validate.Length(1, 50), metadata=_BY_KIND
    )
    hours = DecimalText(digits=4, places=2, shown="10.00", validate=above_zero, metadata=_BY_KIND)


class EngagementTemplateChange(Input):
    """The fields of a template; `services`, when given, replace all of them."""

    name = name()
    description = text()
    currency = Currency(allow_none=True)
    services = fields.List(fields.Nested(TemplateServiceIn), validate=validate.Length(max=100))
    schedule = fields.Nested(TemplateScheduleIn, allow_none=True)
    portal_access = flag()


class EngagementTemplateCreate(EngagementTemplateChange):
    name = name(required=True)


class TemplateServiceOut(Output):
    """A line as it was given; `project_template_id` is its service's, which plans the project."""

    service_id = fields.UUID(allow_none=True)
    project_template_id = fields.UUID(allow_none=True)
    name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    price = Money(allow_none=True)
    quantity = fields.Integer()
    conversations = fields.List(fields.String())


class TemplateMilestonePartOut(Output):
    name = fields.String()
    percent = fields.Integer()
    offset_days = fields.Integer()


class TemplateScheduleOut(Output):
    kind = fields.String()
    name = fields.String()
    amount = Money()
    start_offset_days = fields.Integer()
    end_offset_days = fields.Integer()
    deposit_percent = fields.Integer()
    rest_offset_days = fields.Integer()
    milestones = fields.List(fields.Nested(TemplateMilestonePartOut))
    hours = DecimalText(digits=4, places=2, shown="10.00")


class EngagementTemplateOut(Output):
    """A template; `version` counts its changes. `services` are there where one is retrieved."""

    id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    currency = Currency(allow_none=True)
    schedule = fields.Nested(TemplateScheduleOut, allow_none=True)
    portal_access = fields.Boolean()
    version = fields.Integer(attribute="row_version")
    created_at = Moment()
    updated_at = Moment()
    services = fields.List(fields.Nested(TemplateServiceOut))


class TemplateFromEngagement(Input):
    """What the new template is called; like the engagement unless it is said."""

    name = name()
    description = text()


class EngagementTemplateUse(Input):
    """What to make of the template, and for whom. An engagement's days count from `starts_on`,
    today by itself; a proposal has none."""

    target = PlainText(required=True, validate=validate.OneOf(TARGETS))
    name = name()
    client_company_id = reference()
    contact_id = reference()
    deal_id = reference()
    starts_on = Day(metadata={"x-depends-on": "target"})


class MadeItem(Output):
    name = fields.String()
    price = Money()
    quantity = fields.Integer()
    total = Money()
    service_id = fields.UUID(allow_none=True)


class MadeProposal(Output):
    id = fields.UUID(allow_none=True)
    number = fields.String(allow_none=True)
    name = fields.String()
    total = Money()
    currency = Currency()
    billing = fields.Nested(TermsOut, allow_none=True)
    items = fields.List(fields.Nested(MadeItem))


class MadeEngagement(Output):
    id = fields.UUID(allow_none=True)
    name = fields.String()
    start_date = Day()
    total_value = Money()
    currency = Currency()


class MadeWork(Output):
    id = fields.UUID(allow_none=True)
    name = fields.String()
    due_date = Day(allow_none=True)


class MadePhase(Output):
    """The day on which a phase is due to be over."""

    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    due_date = Day()


class MadeConversation(Output):
    id = fields.UUID(allow_none=True)
    subject = fields.String()


class MadeProject(Output):
    id = fields.UUID(allow_none=True)
    name = fields.String()
    service_id = fields.UUID(allow_none=True)
    start_date = Day()
    phases = fields.List(fields.Nested(MadePhase))
    milestones = fields.List(fields.Nested(MadeWork))
    tasks = fields.List(fields.Nested(MadeWork))
    conversations = fields.List(fields.Nested(MadeConversation))


class MadeSchedule(Output):
    """The schedule, and the first of its invoices to come."""

    id = fields.UUID(allow_none=True)
    name = fields.String()
    kind = fields.String()
    currency = Currency()
    amount = Money()
    starts_on = Day()
    ends_on = Day(allow_none=True)
    invoices = fields.List(fields.Nested(PartOut))


class MadeAccess(Output):
    contact_id = fields.UUID()


class EngagementTemplateMade(Output):
    """What the template made, or would make: then it has no ids. A proposal, or an engagement with
    its projects, schedule and portal access."""

    target = fields.String(validate=validate.OneOf(TARGETS))
    template_version = fields.Integer()
    proposal = fields.Nested(MadeProposal)
    engagement = fields.Nested(MadeEngagement)
    projects = fields.List(fields.Nested(MadeProject))
    schedule = fields.Nested(MadeSchedule, allow_none=True)
    portal_access = fields.Nested(MadeAccess, allow_none=True)
