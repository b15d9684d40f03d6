"""The page where a client reads and signs a contract that stands alone, by its link."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from webapp.auth.credentials import signing_link_context
from webapp.auth.guard import read_in, requires
from webapp.extensions import limit_anybody
from webapp.http.signing_link import contract_opened_by_link, evidence_of_request
from webapp.pages.signature_form import Errors, Page, messages_of, signature_of
from webapp.services.common.exceptions import (
    Conflict,
    ContentChanged,
    Invalid,
    LinkReplaced,
    NotFound,
)
from webapp.services.sales.content import CONTRACT_CONSENT
from webapp.services.sales.contract_links import contract_of_caller, signed_contract_document
from webapp.services.sales.contract_sending import mark_viewed, sign_by_link
from webapp.services.sales.contract_view import facts_of, terms_of

blueprint = Blueprint("contract", __name__, url_prefix="/contract")
limit_anybody(blueprint)

CLOSED = {"expired": 410, "replaced": 410, "cancelled": 410}


def to_page(*_: Any) -> AnyResponse:
    """Back to the page, which shows how things stand now."""
    token = (request.view_args or {})["token"]
    return redirect(url_for("contract.page", token=token), 303)


def show(status: int = 200, errors: Errors | None = None, *, keep: bool = True) -> Page:
    """The page in the state its contract is in; with `keep` the form is filled in again."""
    contract: dict[str, Any] = contract_opened_by_link(even_replaced=True)
    g.timezone = contract["timezone"]
    context = {
        "organization": contract["organization"],
        "contract": contract,
        "token": (request.view_args or {})["token"],
    }
    state = contract["status"]
    if state in CLOSED:
        return render_template("contract/closed.html", state=state, **context), CLOSED[state]
    if state == "signed":
        return render_template("contract/signed.html", **context), 200
    return render_template(
        "contract/contract.html",
        form=request.form if keep else {},
        errors=errors or {},
        facts=facts_of(contract),
        terms=terms_of(contract),
        consent_text=CONTRACT_CONSENT,
        **context,
    ), status


@blueprint.get("/<string:token>")
@requires("link:read", credential=signing_link_context)
def page(token: str) -> Page:
    return show()


@blueprint.post("/<string:token>")
@requires("link:sign", credential=signing_link_context, after_commit=to_page)
def sign(token: str) -> None:
    checked = signature_of(request.form)
    sign_by_link(
        evidence_of_request(
            checked["signer_name"],
            checked["signer_email"],
            checked["signature"]["method"],
            checked["signature"]["data"],
            checked["content_sha256"],
            consent_text=CONTRACT_CONSENT,
        )
    )


@blueprint.post("/<string:token>/viewed")
@requires("link:read", credential=signing_link_context)
def viewed(token: str) -> tuple[str, int]:
    """A script tells of the first thing that a person does on the page."""
    mark_viewed()
    return "", 204


@blueprint.get("/<string:token>/signed.pdf")
@requires("link:read", credential=signing_link_context)
def signed_pdf(token: str) -> Response | AnyResponse:
    contract = contract_of_caller()
    if not contract["has_document"]:
        return to_page()
    document = signed_contract_document(contract["id"])
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
    message = "The contract is not the one you were shown. Please read it as it is now and sign."
    return _show_in_context(409, {"content_sha256": [message]}, keep=False)


@blueprint.errorhandler(NotFound)
def unknown(_error: NotFound) -> Page:
    return render_template("contract/closed.html", state="unknown"), 404


# Signed, cancelled or expired meanwhile, or replaced by another link: the page says so.
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
