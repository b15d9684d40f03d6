"""Another password by a link in a mail, for whoever has forgotten theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.api.framework.operations import ApiBlueprint
from webapp.extensions import limit_anybody
from webapp.http.password_resets import ask, confirm
from webapp.http.responses import ApiResponse
from webapp.schemas.access import PasswordResetAsk, PasswordResetConfirm
from webapp.services.common.exceptions import NotFound

blueprint = ApiBlueprint(
    "password_resets",
    "/api/password-resets",
    description="Another password for whoever has forgotten theirs.",
)
limit_anybody(blueprint)


@blueprint.operation(
    "POST",
    "",
    open_because="whoever cannot log in asks for it",
    body=PasswordResetAsk,
    status=202,
)
def ask_password_reset(body: Mapping[str, Any]) -> ApiResponse:
    """Ask for a link by mail; the answer is the same whether there is such an account"""
    ask(body["email"])
    return ApiResponse(202)


@blueprint.operation(
    "POST",
    "/confirm",
    open_because="the token in the body is the credential",
    body=PasswordResetConfirm,
    status=204,
    errors=(NotFound,),
)
def confirm_password_reset(body: Mapping[str, Any]) -> ApiResponse:
    """Choose another password; it ends all your sessions, and uses the link up"""
    confirm(body["token"], body["password"])
    return ApiResponse(204)
