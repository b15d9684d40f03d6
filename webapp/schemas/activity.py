"""The timeline on the wire (rulings.md, *Fields on the wire*)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from models.states import state_label
from webapp.schemas.common import Moment, Output


class Actor(Output):
    """Who did it, as they were known then."""

    kind = fields.String()
    id = fields.String(allow_none=True)
    name = fields.String(allow_none=True)


class EventState(fields.String):
    """A state the event tells of, by its label, as it stands on the record itself."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return state_label(obj["entity_type"], obj["type"], value)


class ActivityEventOut(Output):
    """One thing that happened. `action` reads `source:subject:action`; `position` is where it
    stands among the organization's events.
    """

    id = fields.UUID()
    type = fields.String()
    action = fields.String()
    entity_type = fields.String()
    entity_id = fields.UUID()
    engagement_id = fields.UUID(allow_none=True)
    actor = fields.Nested(Actor)
    from_ = EventState(data_key="from", attribute="from_state", allow_none=True)
    to = EventState(attribute="to_state", allow_none=True)
    metadata = fields.Dict()
    position = fields.Integer(allow_none=True)
    occurred_at = Moment()
