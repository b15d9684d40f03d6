"""The Flask application of Service Engine X.

Nothing heavy is imported before `create_app` is called: `sx` and its supervisor start without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from webapp.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application that answers requests. Settings come from the environment unless given.

    Raises SettingsError for a bad environment, and RuntimeError when a route does not declare
    who may call it.
    """
    from webapp import api, pages
    from webapp.auth.guard import refuse_unguarded_routes
    from webapp.core.application import create_core
    from webapp.extensions import init_extensions
    from webapp.http.errors import init_errors
    from webapp.http.middleware import init_requests
    from webapp.http.wait import init_waiting

    app = create_core(settings)
    init_requests(app)
    init_errors(app)
    init_extensions(app)
    init_waiting(app)
    api.init_api(app)
    pages.init_pages(app)
    refuse_unguarded_routes(app)
    return app
