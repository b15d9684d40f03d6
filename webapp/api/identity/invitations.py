"""Invitations: sent, sent again, withdrawn; and answered by whoever holds the link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import current_app
from marshmallow import validate

from models.db.tenancy import current_principal
from models.identity import Invitation
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.auth.credentials import invitation_context
from webapp.auth.guard import read_in
from webapp.auth.permissions import grantable_roles
from webapp.core.transaction import in_transaction
from webapp.extensions import limit_anybody
from webapp.http.responses import ApiResponse
from webapp.schemas.access import (
    InvitationAccept,
    InvitationCreate,
    InvitationOut,
    PublicInvitationOut,
)
from webapp.schemas.common import PlainText
from webapp.services.identity import invitations as service

blueprint = ApiBlueprint(
    "invitations", "/api/invitations", description="Who is asked to join, and as what."
)
public_blueprint = ApiBlueprint(
    "public_invitations",
    "/api/public/invitations",
    description="For whoever is invited: read the invitation and accept it.",
)
limit_anybody(public_blueprint)
# It is checked by hand, because what is sent holds a password: nothing of it is kept for retries.
BY_LINK = "the token in the path is the credential"

invitations = Resource(
    blueprint,
    "invitation",
    records=service.INVITATIONS,
    out=InvitationOut,
    filters={
        "state": PlainText(validate=validate.OneOf(["open", "expired", "accepted", "withdrawn"]))
    },
)


def _create(values: Mapping[str, Any]) -> Invitation:
    secret_key = current_app.config["SETTINGS"].secret_key
    allowed = grantable_roles(current_principal())
    return service.create_invitation(values, secret_key, allowed=allowed)


def _resend(invitation_id: UUID, *, expected_row_version: int | None) -> None:
    allowed = grantable_roles(current_principal())
    service.resend_invitation(
        invitation_id, allowed=allowed, expected_row_version=expected_row_version
    )


invitations.list("List invitations", permission="identity:write")
invitations.retrieve("Retrieve an invitation", permission="identity:write")
invitations.create("Invite somebody by mail", InvitationCreate, _create)
invitations.action("resend", "Mail an invitation again, for another week", _resend)
invitations.delete("Withdraw an invitation", service.withdraw_invitation)


@public_blueprint.operation("GET", "/<string:token>", open_because=BY_LINK, out=PublicInvitationOut)
def get_public_invitation(token: str) -> dict[str, Any]:
    """Read an invitation by its link"""
    found: dict[str, Any] = read_in(invitation_context(token), service.invited)
    return found


@public_blueprint.operation(
    "POST",
    "/<string:token>/accept",
    open_because=BY_LINK,
    body=InvitationAccept,
    out=PublicInvitationOut,
)
def accept_public_invitation(body: Mapping[str, Any], token: str) -> ApiResponse:
    """Accept an invitation: with a new account, or with the password of your own"""
    offer = in_transaction(
        invitation_context(token),
        lambda: service.accept_invitation(body.get("name"), body["password"]),
    )
    return ApiResponse(200, PublicInvitationOut().dump(offer))
