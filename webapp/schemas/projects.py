"""Projects on the wire (S 7c; rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from models.states import PHASE, PROJECT
from webapp.schemas.activity import Actor
from webapp.schemas.catalog import ServiceBrief, ServiceOut
from webapp.schemas.common import (
    Day,
    Input,
    Moment,
    Output,
    PlainText,
    Related,
    StateIn,
    StateLabel,
    StateNumber,
    WholeNumber,
    check_order,
    flag,
    name,
    reason,
    reference,
    text,
)
from webapp.schemas.engagements import EngagementOut
from webapp.schemas.signing import EngagementBrief


class _ProjectFields(Input):
    name = name()
    description = text()
    service_id = reference()
    status = StateIn(PROJECT)
    phase = StateIn(PHASE)
    start_date = Day(allow_none=True)
    due_date = Day(allow_none=True)
    custom_fields = fields.Dict(keys=PlainText())

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        check_order(data, "start_date", "due_date")


class ProjectCreate(_ProjectFields):
    engagement_id = reference(required=True, allow_none=False)
    name = name(required=True)


class ProjectChange(_ProjectFields):
    """The fields of a project; `reason` goes with a move back (reopening, Testing to Build)."""

    reason = reason()


class AdvanceIn(Input):
    """`expected_phase` is the phase the caller believes the project is in.

    `force` goes on although tasks that block the phase are open; it needs a `reason`.
    """

    expected_phase = StateIn(PHASE)
    force = flag(metadata={"x-depends-on": "reason"})
    reason = reason()


class ReturnIn(Input):
    reason = reason(required=True)


class PhaseStep(Output):
    """A phase, from when to when, and for how many seconds; the present one goes on."""

    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    since = Moment()
    until = Moment(allow_none=True)
    seconds = fields.Integer()
    due_date = Day(allow_none=True)
    reason = fields.String(allow_none=True)
    actor = fields.Nested(Actor)


class PlannedPhase(Output):
    """A phase, and the day on which it is due to be over, if there is one."""

    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    due_date = Day(allow_none=True)
    is_current = fields.Boolean()
    is_overdue = fields.Boolean()


class PhasesOut(Output):
    """The steps that were taken, and the plan of all phases."""

    data = fields.List(fields.Nested(PhaseStep))
    plan = fields.List(fields.Nested(PlannedPhase))


class RescheduleIn(Input):
    """The phase to move, and the day it is due from now on, or by how many days it moves (backward
    where negative)."""

    phase = StateIn(PHASE, required=True, metadata={"examples": ["Handoff"]})
    due_date = Day(metadata={"examples": ["2099-03-02"]})
    days = WholeNumber(validate=validate.Range(-3650, 3650), metadata={"x-depends-on": "phase"})

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if ("due_date" in data) == ("days" in data):
            raise ValidationError({"due_date": ["Say either due_date or days."]})


class MovedPhase(Output):
    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    from_ = Day(data_key="from", allow_none=True)
    to = Day()


class MovedWork(Output):
    id = fields.UUID()
    name = fields.String()
    from_ = Day(data_key="from")
    to = Day()


class MovedDay(Output):
    from_ = Day(data_key="from")
    to = Day()


class Rescheduled(Output):
    """What was moved, or would be, each with its day before and after."""

    days = fields.Integer()
    phases = fields.List(fields.Nested(MovedPhase))
    milestones = fields.List(fields.Nested(MovedWork))
    tasks = fields.List(fields.Nested(MovedWork))
    project_due_date = fields.Nested(MovedDay, allow_none=True)


class Progress(Output):
    """How far its tasks are, without the cancelled ones; `percent` is null without any."""

    tasks = fields.Integer()
    completed = fields.Integer()
    percent = fields.Integer(allow_none=True)


class ProjectOut(Output):
    id = fields.UUID()
    engagement_id = fields.UUID()
    engagement = Related(EngagementBrief, whole=EngagementOut)
    service_id = fields.UUID(allow_none=True)
    service = Related(ServiceBrief, whole=ServiceOut, allow_none=True)
    name = fields.String()
    description = fields.String(allow_none=True)
    status = StateLabel(PROJECT)
    status_id = StateNumber(PROJECT)
    phase = StateLabel(PHASE)
    phase_id = StateNumber(PHASE)
    start_date = Day(allow_none=True)
    due_date = Day(allow_none=True)
    custom_fields = fields.Dict()
    created_at = Moment()
    updated_at = Moment()
    completed_at = Moment(allow_none=True)
    progress = fields.Nested(Progress)
