"""The Flask application of Service Engine X.

Nothing heavy is imported before `create_app` is called: `sx` and its supervisor start without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from webapp.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application. Settings come from the environment unless given.

    Raises SettingsError for a bad environment, and RuntimeError when a route does not declare
    who may call it.
    """
    from flask import Flask

    import models
    from webapp import api, pages
    from webapp.auth.guard import refuse_unguarded_routes
    from webapp.config import Settings
    from webapp.core.formats import init_formats
    from webapp.core.logs import configure_logs
    from webapp.extensions import init_extensions
    from webapp.http.errors import init_errors
    from webapp.http.middleware import init_requests
    from webapp.http.wait import init_waiting

    assert models  # every table is known before the first mapper is used
    settings = settings or Settings.from_environment()
    configure_logs(settings.log_level)

    class Application(Flask):
        def ensure_sync(self, func: Any) -> Any:
            """No view is asynchronous, so none is asked whether it is."""
            return func

    app = Application(__name__, static_folder="pages/static", template_folder="pages/templates")
    app.config.update(settings.flask())
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    init_requests(app)
    init_errors(app)
    init_extensions(app)
    init_formats(app)
    init_waiting(app)
    api.init_api(app)
    pages.init_pages(app)
    refuse_unguarded_routes(app)
    return app
