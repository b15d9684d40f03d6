"""The staff's console: one module for each area, all on one blueprint."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from webapp.services.common.exceptions import Unauthorized

blueprint = Blueprint("console", __name__, url_prefix="/console")


@blueprint.after_request
def name_the_origin(response: Response) -> Response:
    """Browsers send `Origin: null` from pages with no-referrer; our forms' checks need it."""
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@blueprint.errorhandler(Unauthorized)
def ask_for_login(_error: Unauthorized) -> AnyResponse:
    """To the login, and from there back to the page that was asked for."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    if wanted == url_for("console.home"):
        wanted = None
    return redirect(url_for("console.login", next=wanted), 303)


# The areas put their routes on the blueprint, so they come after it.
from webapp.pages.console import home, login  # noqa: E402

assert home, login
