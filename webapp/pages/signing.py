"""The signing page, for the client who holds the link (sign-flow.md).

It works without scripts: what is posted is answered by a redirect to the page, which shows how
things stand now; only what has to be corrected is shown again with the form filled in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from models.states import PHASE
from webapp.auth.credentials import signing_link_context
from webapp.auth.guard import read_in, requires
from webapp.extensions import limit_anybody
from webapp.http.signing_link import evidence_of_request, opened_by_link
from webapp.http.wait import DEFAULT_SECONDS, done_within, unless_it_fails
from webapp.pages.choices import SHOWN, choices_of, has_choices_of, selection_of
from webapp.pages.signature_form import Errors, Page, checked_form, messages_of, signature_of
from webapp.schemas.sales import DeclineIn
from webapp.schemas.signing import PublicSigningResult
from webapp.services.common.exceptions import (
    Conflict,
    ContentChanged,
    Invalid,
    LinkReplaced,
    NotFound,
)
from webapp.services.jobs.kinds import LANES
from webapp.services.sales.offer import offer_of
from webapp.services.sales.queries import created_by, linked_to_caller, signed_document
from webapp.services.sales.sending import decline_by_link, mark_viewed
from webapp.services.sales.signing import Signed, sign_by_link

blueprint = Blueprint("signing", __name__, url_prefix="/sign")
limit_anybody(blueprint)

# Gone is what a link leads to when its proposal can no longer be signed by anybody.
CLOSED = {"declined": 200, "expired": 410, "revised": 410, "replaced": 410}
PHASES = PHASE.labels(tuple(PHASE.states))


def to_page(*_: Any) -> AnyResponse:
    """Back to the page, which shows how things stand now."""
    token = (request.view_args or {})["token"]
    return redirect(url_for("signing.page", token=token), 303)


def show(status: int = 200, errors: Errors | None = None, *, keep: bool = True) -> Page:
    """The page in the state its proposal is in; `status` is that of a proposal to sign.

    With `keep`, the form is filled in again as it was sent.
    """
    proposal: dict[str, Any] = opened_by_link(even_replaced=True)
    g.timezone = proposal["timezone"]
    context = {
        "organization": proposal["organization"],
        "proposal": proposal,
        "token": (request.view_args or {})["token"],
    }
    state = proposal["status"]
    if state in CLOSED:
        return render_template("signing/closed.html", state=state, **context), CLOSED[state]
    if state == "signed":
        waited = dt.datetime.now(dt.UTC) - proposal["signed_at"]
        created = PublicSigningResult().dump(created_by(proposal["id"]))
        return render_template(
            "signing/signed.html",
            signature=proposal,
            engagement=created["engagement"],
            projects=[project | {"phases": PHASES} for project in created["projects"]],
            order=created["order"],
            pdf_ready=proposal["has_document"],
            takes_long=waited.total_seconds() > LANES["signature"].aim,
            **context,
        ), 200
    form = request.form if keep else {}
    return render_template(
        "signing/proposal.html",
        form=form,
        offer=choices_of(form, proposal),
        errors=errors or {},
        consent_text=proposal["consent_text"],
        **context,
    ), status


@blueprint.get("/<string:token>")
@requires("link:read", credential=signing_link_context)
def page(token: str) -> Page:
    return show()


def wait_for_engagement(signed: Signed) -> AnyResponse:
    """Give what the signature creates a moment to be there, and show the page either way."""
    unless_it_fails(lambda: done_within(signed.job["id"], DEFAULT_SECONDS), False)
    return to_page()


@blueprint.post("/<string:token>")
@requires("link:sign", credential=signing_link_context, after_commit=wait_for_engagement)
def sign(token: str) -> Signed:
    form = request.form
    checked = signature_of(form)
    selection = _selection(form) if SHOWN in form else None
    return sign_by_link(
        evidence_of_request(
            checked["signer_name"],
            checked["signer_email"],
            checked["signature"]["method"],
            checked["signature"]["data"],
            checked["content_sha256"],
            selection,
        )
    )


def _selection(form: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """What was chosen, if its total is the one that stood beside it; None without a choice.

    Raises Invalid naming `selection`: without scripts a choice may be changed and not reckoned yet.
    """
    proposal = linked_to_caller()
    if not has_choices_of(proposal):
        return None
    selection = selection_of(form, proposal)
    if f"{offer_of(proposal, selection).gross:.2f}" != form[SHOWN]:
        raise Invalid({"selection": ["You changed your choice. Look at the new total, then sign."]})
    return selection


@blueprint.post("/<string:token>/selection")
@requires("link:read", credential=signing_link_context)
def choose(token: str) -> Page:
    """The page with the choice in the form reckoned; to a script, its sums alone."""
    proposal: dict[str, Any] = opened_by_link()
    if proposal["status"] != "sent":
        return show()
    for_script = request.headers.get("X-Requested-With") == "fetch"
    errors: list[str] = []
    try:
        offer_of(proposal, selection_of(request.form, proposal))
    except Invalid as error:
        errors = [message for messages in error.errors.values() for message in messages]
    status = 422 if errors else 200
    if not for_script:
        return show(status, {"selection": errors} if errors else None)
    return render_template(
        "signing/sums.html",
        proposal=proposal,
        offer=choices_of(request.form, proposal),
        errors={"selection": errors},
        token=token,
    ), status


@blueprint.get("/<string:token>/selection")
@requires("link:read", credential=signing_link_context)
def leave_choice(token: str) -> AnyResponse:
    """Whoever comes back to a choice later finds the page as it is now."""
    return to_page()


@blueprint.post("/<string:token>/viewed")
@requires("link:read", credential=signing_link_context)
def viewed(token: str) -> tuple[str, int]:
    """A script tells of the first thing that a person does on the page."""
    mark_viewed()
    return "", 204


@blueprint.post("/<string:token>/decline")
@requires("link:decline", credential=signing_link_context, after_commit=to_page)
def decline(token: str) -> None:
    checked = checked_form(DeclineIn(), {"reason": request.form.get("reason", "")})
    decline_by_link(checked["reason"])


@blueprint.get("/<string:token>/signed.pdf")
@requires("link:read", credential=signing_link_context)
def signed_pdf(token: str) -> Response | AnyResponse:
    proposal = linked_to_caller()
    if not proposal["has_document"]:
        return to_page()
    document = signed_document(proposal["id"])
    response = Response(bytes(document["content"]), mimetype="application/pdf")
    name = f"{document['number']}-signed.pdf"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@blueprint.errorhandler(Invalid)
def correct(error: Invalid) -> Page:
    """The form once more, each message beside the field it belongs to."""
    return _show_in_context(422, messages_of(error, request.form))


@blueprint.errorhandler(ContentChanged)
def read_again(_error: ContentChanged) -> Page:
    message = "The proposal is not the one you were shown. Please read it as it is now and sign."
    return _show_in_context(409, {"content_sha256": [message]}, keep=False)


@blueprint.errorhandler(NotFound)
def unknown(_error: NotFound) -> Page:
    return render_template("signing/closed.html", state="unknown"), 404


# Signed, declined or expired meanwhile, or replaced by another link: the page says so.
blueprint.register_error_handler(Conflict, to_page)
blueprint.register_error_handler(LinkReplaced, to_page)


def _show_in_context(status: int, errors: Errors, *, keep: bool = True) -> Page:
    """`show` after the transaction of the request is over; it reads in a context of its own."""
    try:
        shown: Page = read_in(
            signing_link_context("link:read"), lambda: show(status, errors, keep=keep)
        )
        return shown
    except NotFound as error:
        return unknown(error)
