"""What people see: the signing page, the verify page, the console."""

from __future__ import annotations

from flask import Flask

from webapp.auth.guard import open_to_all


def init_pages(app: Flask) -> None:
    """Register the pages with `app`."""
    open_to_all("style sheets, scripts and pictures are the same for everybody")(
        app.view_functions["static"]
    )
