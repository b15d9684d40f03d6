"""Time entries: what people worked (rulings.md, *Time*)."""

from __future__ import annotations

from marshmallow import fields

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.common import Day, reference
from webapp.schemas.work import TimeEntryChange, TimeEntryCreate, TimeEntryOut
from webapp.services.common.exceptions import Conflict
from webapp.services.projects import time_entries as service
from webapp.services.projects.time_entries import TIME_ENTRIES

blueprint = ApiBlueprint(
    "time_entries", "/api/time-entries", description="What people worked, and for what."
)

time_entries = Resource(
    blueprint,
    "time_entry",
    records=TIME_ENTRIES,
    out=TimeEntryOut,
    filters={
        "project_id": reference(allow_none=False),
        "task_id": reference(allow_none=False),
        "user_id": reference(allow_none=False),
        "billed": fields.Boolean(),
        "day_from": Day(),
        "day_until": Day(),
    },
)
time_entries.list("List time entries")
time_entries.create(
    "Record time, or start a clock", TimeEntryCreate, service.create_entry, errors=(Conflict,)
)
time_entries.retrieve("Retrieve a time entry")
time_entries.update(
    "Update a time entry that is not billed",
    TimeEntryChange,
    service.update_entry,
    errors=(Conflict,),
)
time_entries.delete(
    "Delete a time entry that is not billed", service.delete_entry, errors=(Conflict,)
)
time_entries.action("stop", "Stop the clock", service.stop_entry, errors=(Conflict,))
