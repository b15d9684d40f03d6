"""Tasks and milestones on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from marshmallow import fields, validate

from models.catalog import PRIORITIES
from models.states import TASK
from webapp.schemas.common import (
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
from webapp.schemas.engagements import ProjectBrief

_PLACE = validate.Range(0, 100_000)


class MilestoneChange(Input):
    """The fields of a milestone; `reached` sets its `completed_at`."""

    name = name()
    due_date = Day(allow_none=True)
    position = WholeNumber(validate=_PLACE)
    reached = flag()


class MilestoneCreate(MilestoneChange):
    name = name(required=True)


class MilestoneOut(Output):
    id = fields.UUID()
    project_id = fields.UUID()
    name = fields.String()
    due_date = Day(allow_none=True)
    position = fields.Integer()
    completed_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class Step(Input):
    """A small step of a task, and whether it is done."""

    text = name(required=True)
    done = flag(load_default=False)


class StepOut(Output):
    text = fields.String()
    done = fields.Boolean()


class TaskChange(Input):
    """The fields of a task; `depends_on` and `checklist`, when given, replace the whole."""

    name = name()
    description = text()
    status = StateIn(TASK)
    priority = PlainText(validate=validate.OneOf(PRIORITIES))
    assignee_id = reference()
    milestone_id = reference()
    conversation_id = reference()
    due_date = Day(allow_none=True)
    estimate_minutes = WholeNumber(allow_none=True, validate=validate.Range(0, 1_000_000))
    blocks_phase = flag()
    checklist = fields.List(fields.Nested(Step), validate=validate.Length(max=100))
    depends_on = fields.List(
        fields.UUID(), validate=validate.Length(max=100), metadata={"x-depends-on": "project_id"}
    )


class TaskCreate(TaskChange):
    name = name(required=True)
    position = WholeNumber(validate=_PLACE)


class TaskMove(Input):
    """Where the task goes: its place among the project's, from 0, and its state."""

    position = WholeNumber(validate=_PLACE)
    status = StateIn(TASK)


class TaskBrief(Output):
    id = fields.UUID()
    name = fields.String()
    status = StateLabel(TASK)
    status_id = StateNumber(TASK)


class Assignee(Output):
    id = fields.UUID()
    name = fields.String()


class TaskOut(Output):
    """A task; `is_blocked` while it waits for an open one. `depends_on` is there where one is
    retrieved."""

    id = fields.UUID()
    project_id = fields.UUID()
    project = fields.Nested(ProjectBrief)
    milestone_id = fields.UUID(allow_none=True)
    conversation_id = fields.UUID(allow_none=True)
    name = fields.String()
    description = fields.String(allow_none=True)
    status = StateLabel(TASK)
    status_id = StateNumber(TASK)
    priority = fields.String()
    assignee_id = fields.UUID(allow_none=True)
    assignee = fields.Nested(Assignee, allow_none=True)
    due_date = Day(allow_none=True)
    estimate_minutes = fields.Integer(allow_none=True)
    blocks_phase = fields.Boolean()
    checklist = fields.List(fields.Nested(StepOut))
    position = fields.Integer()
    is_blocked = fields.Boolean()
    is_overdue = fields.Boolean()
    completed_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
    depends_on = fields.List(fields.Nested(TaskBrief))


_MINUTES = validate.Range(1, 60 * 24)


class TimeEntryChange(Input):
    """The fields of a time entry; `rate` is for an hour."""

    task_id = reference()
    day = Day()
    minutes = WholeNumber(validate=_MINUTES)
    note = text()
    is_billable = flag()
    rate = Money(allow_none=True)


class TimeEntryCreate(TimeEntryChange):
    """Time worked, or a clock that starts (`running`). `user_id` is the caller by itself."""

    project_id = reference(allow_none=False)
    user_id = reference(allow_none=False)
    running = flag(metadata={"x-depends-on": "minutes"})


class TimeEntryOut(Output):
    id = fields.UUID()
    project_id = fields.UUID()
    project = fields.Nested(ProjectBrief)
    task_id = fields.UUID(allow_none=True)
    user_id = fields.UUID(allow_none=True)
    user = fields.Nested(Assignee, allow_none=True)
    day = Day()
    minutes = fields.Integer()
    note = fields.String(allow_none=True)
    is_billable = fields.Boolean()
    rate = Money(allow_none=True)
    is_running = fields.Boolean()
    started_at = Moment(allow_none=True)
    is_billed = fields.Boolean()
    invoice_line_id = fields.UUID(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
