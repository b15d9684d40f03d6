"""What people see: the signing page, the verify page, the console, and the way into it."""

from __future__ import annotations

from flask import Flask, redirect, url_for
from werkzeug.wrappers import Response

from webapp.auth.guard import open_to_all
from webapp.pages import accounts, console, contract, docs, paid, signing, verify


def init_pages(app: Flask) -> None:
    """Register the pages with `app`."""
    open_to_all("style sheets, scripts and pictures are the same for everybody")(
        app.view_functions["static"]
    )
    for module in (signing, contract, verify, paid, console, docs, accounts):
        app.register_blueprint(module.blueprint)
    app.add_url_rule("/", "front_door", front_door)


@open_to_all("it only leads to the console, which asks for the login")
def front_door() -> Response:
    return redirect(url_for("console.home"), 303)
