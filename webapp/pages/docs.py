"""The API's documentation, browsable without any outside service."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for

from webapp.auth.guard import open_to_all

blueprint = Blueprint("docs", __name__, url_prefix="/api/docs")


@blueprint.get("")
@open_to_all("the description of the API tells nothing of any tenant")
def page() -> str:
    return render_template("api/docs.html", openapi_url=url_for("openapi"))
