"""The timeline of an engagement."""

from __future__ import annotations

from marshmallow import validate

from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.schemas.activity import ActivityEventOut
from webapp.schemas.common import PlainText
from webapp.services.activity.events import TIMELINE
from webapp.services.engagements.queries import ENGAGEMENTS

blueprint = ApiBlueprint(
    "timeline",
    "/api/engagements/<uuid:engagement_id>/timeline",
    description="What happened to an engagement and to what belongs to it.",
)

events = Resource(
    blueprint,
    "activity_event",
    records=TIMELINE,
    out=ActivityEventOut,
    filters={
        "type": PlainText(validate=validate.Length(1, 64)),
        "entity_type": PlainText(validate=validate.Length(1, 64)),
    },
)
events.list(
    "List what happened, newest first",
    prepare=lambda engagement_id: ENGAGEMENTS.get(engagement_id),
)
