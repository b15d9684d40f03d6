"""The events of the organization (rulings.md, *Events*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request
from marshmallow import ValidationError, fields, validate

from models.db.queries import resolve_context
from models.db.tenancy import current_principal
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import list_answer, list_query, list_schema, page_request
from webapp.auth.permissions import may
from webapp.http.responses import ApiResponse
from webapp.schemas.activity import ActivityEventOut
from webapp.schemas.common import Moment, PlainText, reference
from webapp.services.activity.stream import EVENTS, FOLLOWED, readable_entities
from webapp.services.common.reads import PageRequest

blueprint = ApiBlueprint(
    "events", "/api/events", description="What happened in the organization, to be followed."
)
_MAX_POSITION = 2**63 - 1
_NAME = validate.Length(1, 64)
_QUERY = list_query(
    "Event",
    {
        "type": PlainText(validate=_NAME),
        "entity_type": PlainText(validate=_NAME),
        "entity_id": reference(allow_none=False),
        "engagement_id": reference(allow_none=False),
        "since": Moment(),
        "until": Moment(),
        "after": fields.Integer(validate=validate.Range(0, _MAX_POSITION)),
    },
    sorts=("occurred_at",),
)
_OUT = ActivityEventOut()


@blueprint.operation(
    "GET",
    "",
    permission="activity:read",
    query=_QUERY,
    out=list_schema("Event", ActivityEventOut),
)
def list_events(query: Mapping[str, Any]) -> ApiResponse:
    """List what happened, the newest first; or, with `after`, follow it by position"""
    # What may be read depends on who asks, so that is found out first.
    resolve_context()
    principal = current_principal()
    readable = readable_entities(lambda permission: may(principal, permission))
    wanted = page_request(query)
    if "entity_id" in wanted.filters and "entity_type" not in wanted.filters:
        raise ValidationError({"entity_type": ["Say what kind of record it is."]})
    filters = {**wanted.filters} | ({} if readable is None else {"readable": readable})
    if "after" not in filters:
        body = list_answer(EVENTS.page(_with(wanted, filters, wanted.sort)))
        body["data"] = _OUT.dump(body["data"], many=True)
        return ApiResponse(200, body)
    if wanted.cursor is not None:
        raise ValidationError({"cursor": ["Go on with `after` instead."]})
    page = FOLLOWED.page(_with(wanted, filters, "position"))
    body = list_answer(page)
    # Always where to go on, also when nothing has happened since.
    last = page.rows[-1]["position"] if page.rows else filters["after"]
    following = urlencode({**request.args, "after": last})
    body["links"] |= {"next": f"{request.path}?{following}", "prev": None}
    body["data"] = _OUT.dump(page.rows, many=True)
    return ApiResponse(200, body)


def _with(wanted: PageRequest, filters: Mapping[str, Any], sort: str) -> PageRequest:
    return PageRequest(filters, sort, wanted.cursor, wanted.limit, wanted.total)
