"""What the firm sells, on the wire."""

from __future__ import annotations

from marshmallow import fields, validate

from models.catalog import MAX_DUE_OFFSET_DAYS, PRIORITIES
from models.states import PHASE
from webapp.schemas.common import (
    Currency,
    Day,
    Input,
    Moment,
    Money,
    Output,
    PlainText,
    StateIn,
    StateLabel,
    StateNumber,
    WholeNumber,
    flag,
    name,
    reference,
    text,
)

_OFFSET = validate.Range(0, MAX_DUE_OFFSET_DAYS)


class ServiceChange(Input):
    name = name()
    description = text()
    price = Money()
    currency = Currency()
    project_template_id = reference()
    is_active = flag()


class ServiceCreate(ServiceChange):
    name = name(required=True)
    price = Money(required=True)
    currency = Currency(required=True)


class ServiceOut(Output):
    id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    price = Money()
    currency = Currency()
    project_template_id = fields.UUID(allow_none=True)
    is_active = fields.Boolean()
    created_at = Moment()
    updated_at = Moment()


class ServiceBrief(Output):
    id = fields.UUID()
    name = fields.String()


class TemplateMilestoneIn(Input):
    """A milestone, due so many days after the project's start."""

    name = name(required=True)
    due_offset_days = WholeNumber(allow_none=True, validate=_OFFSET)


class TemplateTaskIn(Input):
    """A task, due so many days after the start; `milestone` and `depends_on` are names."""

    name = name(required=True)
    description = text()
    priority = PlainText(load_default="normal", validate=validate.OneOf(PRIORITIES))
    due_offset_days = WholeNumber(allow_none=True, validate=_OFFSET)
    estimate_minutes = WholeNumber(allow_none=True, validate=validate.Range(0, 1_000_000))
    blocks_phase = flag(load_default=False)
    milestone = PlainText(allow_none=True, metadata={"x-depends-on": "milestones"})
    depends_on = fields.List(
        PlainText(), validate=validate.Length(max=50), metadata={"x-depends-on": "tasks"}
    )


class TemplatePhaseIn(Input):
    """A phase, due so many days after the project's start."""

    phase = StateIn(PHASE, required=True)
    due_offset_days = WholeNumber(required=True, validate=_OFFSET)


class ProjectTemplateChange(Input):
    """A plan; `phases`, `milestones` and `tasks`, when given, replace all of them."""

    name = name()
    description = text()
    phases = fields.List(fields.Nested(TemplatePhaseIn), validate=validate.Length(max=6))
    milestones = fields.List(fields.Nested(TemplateMilestoneIn), validate=validate.Length(max=100))
    tasks = fields.List(fields.Nested(TemplateTaskIn), validate=validate.Length(max=500))


class ProjectTemplateCreate(ProjectTemplateChange):
    name = name(required=True)


class TemplatePhaseOut(Output):
    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    due_offset_days = fields.Integer()


class TemplateMilestoneOut(Output):
    name = fields.String()
    due_offset_days = fields.Integer(allow_none=True)


class TemplateTaskOut(Output):
    name = fields.String()
    description = fields.String(allow_none=True)
    priority = fields.String()
    due_offset_days = fields.Integer(allow_none=True)
    estimate_minutes = fields.Integer(allow_none=True)
    blocks_phase = fields.Boolean()
    milestone = fields.String(allow_none=True)
    depends_on = fields.List(fields.String())


class ProjectTemplateOut(Output):
    """A plan; `version` counts its changes. `milestones` and `tasks` are there where one is
    retrieved."""

    id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    phases = fields.List(fields.Nested(TemplatePhaseOut))
    version = fields.Integer(attribute="row_version")
    created_at = Moment()
    updated_at = Moment()
    milestones = fields.List(fields.Nested(TemplateMilestoneOut))
    tasks = fields.List(fields.Nested(TemplateTaskOut))


class TemplateUse(Input):
    """Which project the plan is for; its days count from `starts_on`, the project's start by
    itself."""

    project_id = reference(required=True, allow_none=False)
    starts_on = Day()


class AddedOut(Output):
    kind = fields.String()
    id = fields.UUID()
    name = fields.String()
    due_date = Day(allow_none=True)


class TemplateUsed(Output):
    """What was added to the project, or would be."""

    added = fields.List(fields.Nested(AddedOut))
