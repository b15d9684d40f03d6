"""Joining by an invitation, and choosing another password: the pages that mails lead to.

A GET never uses a link up. The token in the address is the credential, so the forms need no other.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from marshmallow import Schema, ValidationError
from werkzeug.wrappers import Response as AnyResponse

from webapp.auth.credentials import invitation_context
from webapp.auth.guard import open_to_all, read_in
from webapp.core.transaction import in_transaction
from webapp.extensions import limit_anybody
from webapp.http.errors import flatten
from webapp.http.password_resets import ask, confirm
from webapp.schemas.access import InvitationAccept, PasswordResetAsk, PasswordResetConfirm
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.identity import invitations

blueprint = Blueprint("accounts", __name__)
limit_anybody(blueprint)

BY_LINK = "the token in the path is the credential"
ANYBODY = "whoever cannot log in asks for it"
Errors = Mapping[str, list[str]]
Page = tuple[str, int]


@blueprint.get("/invitations/<string:token>")
@open_to_all(BY_LINK)
def invitation(token: str) -> Page:
    return _invitation_page(token)


@blueprint.post("/invitations/<string:token>")
@open_to_all(BY_LINK)
def accept(token: str) -> Page | AnyResponse:
    sent = {name: value for name, value in _form("name", "password").items() if value}
    try:
        body = InvitationAccept().load(sent)
        offer = in_transaction(
            invitation_context(token),
            lambda: invitations.accept_invitation(body.get("name"), body["password"]),
        )
    except (ValidationError, Invalid, Conflict) as error:
        return _invitation_page(token, _errors(error))
    return redirect(url_for("console.login", organization=offer["organization_slug"]), 303)


@blueprint.get("/password-reset")
@open_to_all(ANYBODY)
def forgotten() -> str:
    return render_template("accounts/forgotten.html", asked=False, errors={}, form={})


@blueprint.post("/password-reset")
@open_to_all(ANYBODY)
def ask_for_link() -> Page:
    form = _form("email")
    errors = _check(PasswordResetAsk(), form)
    if not errors:
        ask(form["email"])
    page = render_template("accounts/forgotten.html", asked=not errors, errors=errors, form=form)
    return page, 422 if errors else 200


@blueprint.get("/password-reset/<string:token>")
@open_to_all(BY_LINK)
def choose(token: str) -> str:
    return render_template("accounts/password.html", token=token, errors={})


@blueprint.post("/password-reset/<string:token>")
@open_to_all(BY_LINK)
def choose_password(token: str) -> Page | AnyResponse:
    form = {"token": token, **_form("password")}
    errors = _check(PasswordResetConfirm(), form)
    if errors:
        return render_template("accounts/password.html", token=token, errors=errors), 422
    confirm(token, form["password"])
    return redirect(url_for("console.login"), 303)


def _invitation_page(token: str, errors: Errors | None = None) -> Page:
    """The form, with what is wrong with what was sent. Raises NotFound for a link of no use."""
    offer = read_in(invitation_context(token), invitations.invited)
    page = render_template(
        "accounts/invitation.html",
        organization={"name": offer["organization_name"]},
        offer=offer,
        token=token,
        form=_form("name") if errors else {},
        errors=errors or {},
    )
    return page, 422 if errors else 200


def _form(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "") for name in names}


def _check(schema: Schema, form: Mapping[str, str]) -> Errors:
    try:
        schema.load(form)
    except ValidationError as error:
        return _errors(error)
    return {}


def _errors(error: ValidationError | Invalid | Conflict) -> Errors:
    if isinstance(error, ValidationError):
        return flatten(error.messages)
    return error.errors if isinstance(error, Invalid) else {"_form": [error.detail]}
