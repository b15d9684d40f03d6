"""Projects on the wire (S 7c; rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validates_schema

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
    reason = fields.String(allow_none=True)
    actor = fields.Nested(Actor)


class PhasesOut(Output):
    data = fields.List(fields.Nested(PhaseStep))


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
