"""Where a client arrives after paying online. It promises nothing: only the webhook knows."""

from __future__ import annotations

from flask import Blueprint, render_template

from webapp.auth.guard import open_to_all

blueprint = Blueprint("paid", __name__, url_prefix="/paid")


@blueprint.get("")
@open_to_all("it says the same to everybody, and nothing of any payment")
def page() -> str:
    return render_template("paid/paid.html")
