"""Invoice schedules: when an engagement is invoiced (rulings.md, *Schedules*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields, validate

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import Input, reference
from webapp.schemas.schedules import PreviewOut, ScheduleChange, ScheduleCreate, ScheduleOut
from webapp.services.billing import schedules as service
from webapp.services.billing.schedules import SCHEDULES
from webapp.services.common.exceptions import Conflict, NotFound

blueprint = ApiBlueprint(
    "invoice_schedules", "/api/invoice-schedules", description="When engagements are invoiced."
)

schedules = Resource(
    blueprint,
    "invoice_schedule",
    records=SCHEDULES,
    out=ScheduleOut,
    filters={"engagement_id": reference(allow_none=False)},
)
schedules.list("List invoice schedules")
schedules.create(
    "Plan an engagement's invoices", ScheduleCreate, service.create_schedule, errors=(Conflict,)
)
schedules.retrieve("Retrieve an invoice schedule")
schedules.update(
    "Change a schedule from its next period on",
    ScheduleChange,
    service.update_schedule,
    errors=(Conflict,),
)
schedules.delete("End a schedule", service.end_schedule)
schedules.action(
    "pause", "Draft no invoices until it is resumed", service.pause_schedule, errors=(Conflict,)
)
schedules.action(
    "resume", "Go on with the next period", service.resume_schedule, errors=(Conflict,)
)


class PreviewQuery(Input):
    count = fields.Integer(load_default=12, validate=validate.Range(1, 60))


@blueprint.operation(
    "GET",
    "/<uuid:invoice_schedule_id>/preview",
    permission="billing:read",
    query=PreviewQuery,
    out=PreviewOut,
    errors=(NotFound,),
)
def preview_invoice_schedule(
    query: Mapping[str, Any], *, invoice_schedule_id: UUID
) -> Mapping[str, Any]:
    """Tell the next invoices that are to come"""
    return {"data": service.preview(invoice_schedule_id, query["count"])}
