"""Who is logged in to the console: one's own sessions, and for administrators everybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.db.queries import resolve_context
from models.db.tenancy import current_principal
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import list_answer, list_query, list_schema, page_request
from webapp.auth.credentials import key_or_session_context
from webapp.auth.permissions import may
from webapp.http.responses import ApiResponse
from webapp.schemas.access import SessionOut, SessionsEnd, SessionsEnded
from webapp.schemas.common import reference
from webapp.services.common.exceptions import Forbidden, StaleVersion
from webapp.services.identity import sessions as service

blueprint = ApiBlueprint(
    "sessions", "/api/sessions", description="Who is logged in to the console, from where."
)


def _own() -> UUID | None:
    """Whose sessions alone the caller may see and end; None for an administrator."""
    principal = current_principal()
    if may(principal, "identity:write"):
        return None
    return principal.subject_id or principal.credential_id  # a key has no sessions


@blueprint.operation(
    "GET",
    "",
    permission="identity:read",
    credential=key_or_session_context,
    query=list_query("Session", {"user_id": reference(allow_none=False)}),
    out=list_schema("Session", SessionOut),
)
def list_sessions(query: Mapping[str, Any]) -> dict[str, Any]:
    """List your sessions, or as an administrator everybody's"""
    resolve_context()  # who asks decides what is asked
    own, wanted = _own(), page_request(query)
    if own is not None:
        wanted = service.of_user(wanted, own)
    page = service.SESSIONS.page(wanted)
    for row in page.rows:
        row["is_current"] = row["id"] == current_principal().credential_id
    return list_answer(page)


@blueprint.operation(
    "DELETE",
    "/<uuid:session_id>",
    permission="identity:read",
    credential=key_or_session_context,
    status=204,
    if_match=True,
)
def delete_session(session_id: UUID, *, expected_row_version: int | None) -> ApiResponse:
    """End a session at once: one of yours, or as an administrator anybody's"""
    if expected_row_version is not None:
        raise StaleVersion()  # a session has no version that a tag could name
    service.revoke_session(session_id, user_id=_own())
    return ApiResponse(204)


@blueprint.operation(
    "POST",
    "/revoke",
    permission="identity:read",
    credential=key_or_session_context,
    body=SessionsEnd,
    body_required=False,
    out=SessionsEnded,
)
def revoke_sessions(body: Mapping[str, Any]) -> dict[str, int]:
    """End all your other sessions, or as an administrator all those of a user"""
    own, user_id = _own(), body.get("user_id") or current_principal().subject_id
    if user_id is None:
        return {"revoked": 0}  # an API key has no sessions of its own
    if own is not None and user_id != own:
        raise Forbidden("Only an administrator ends other people's sessions.")
    return {"revoked": service.revoke_sessions(user_id)}
