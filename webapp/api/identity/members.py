"""The organization's people: listed, given another role, disabled, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import validate

from models.db.tenancy import current_principal
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.auth.permissions import grantable_roles
from webapp.http.responses import ApiResponse
from webapp.schemas.access import MemberChange, MemberOut
from webapp.schemas.common import Input, PlainText, reference
from webapp.services.common.exceptions import Forbidden
from webapp.services.identity import members as service

blueprint = ApiBlueprint(
    "members", "/api/members", description="The people of your organization, and their roles."
)

members = Resource(
    blueprint,
    "member",
    records=service.MEMBERS,
    out=MemberOut,
    filters={
        "user_id": reference(allow_none=False),
        "state": PlainText(validate=validate.OneOf(["active", "disabled"])),
    },
)


def _allowed() -> tuple[str, ...]:
    return grantable_roles(current_principal())


def _change(
    values: Mapping[str, Any], member_id: UUID, *, expected_row_version: int | None
) -> None:
    service.change_role(
        values, member_id, allowed=_allowed(), expected_row_version=expected_row_version
    )


def _disable(member_id: UUID, *, expected_row_version: int | None) -> None:
    service.disable_member(member_id, allowed=_allowed(), expected_row_version=expected_row_version)


def _enable(member_id: UUID, *, expected_row_version: int | None) -> None:
    service.enable_member(member_id, allowed=_allowed(), expected_row_version=expected_row_version)


members.list("List members")
members.retrieve("Retrieve a member")
members.update("Give a member another role", MemberChange, _change, errors=(Forbidden,))
members.action("disable", "Keep a member out, and end their sessions", _disable)
members.action("enable", "Let a member who was disabled log in again", _enable)


class RemovalQuery(Input):
    """Which member takes over what the one who leaves owns."""

    hand_over_to = reference(allow_none=False)


@blueprint.operation(
    "DELETE",
    "/<uuid:member_id>",
    permission="identity:write",
    query=RemovalQuery,
    status=204,
    if_match=True,
)
def delete_member(
    query: Mapping[str, Any], member_id: UUID, *, expected_row_version: int | None
) -> ApiResponse:
    """Remove a member; what they own becomes that of `hand_over_to`"""
    service.remove_member(
        member_id,
        hand_over_to=query.get("hand_over_to"),
        allowed=_allowed(),
        expected_row_version=expected_row_version,
    )
    return ApiResponse(204)
