"""What every process of the application has, be it one that answers requests or one that does not.

Worker, dispatcher, beat and most commands need nothing more. Only `webapp.create_app` adds the
routes, and with them the API's and the pages' modules.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from flask import Flask

import models
from models.db.base import db
from webapp.config import Settings
from webapp.core.formats import init_formats
from webapp.core.logs import configure_logs
from webapp.core.wake_ups import Publisher

assert models  # every table is known before the first mapper is used


class Application(Flask):
    """Flask, told what this application never does."""

    def ensure_sync(self, func: Any) -> Any:
        """No view is asynchronous, so none is asked whether it is."""
        return func


def create_core(settings: Settings | None = None) -> Flask:
    """Make the application without its routes. Settings come from the environment unless given.

    It has the database, the wake-ups and the templates, of which mails are made. Raises
    SettingsError for a bad environment.
    """
    settings = settings or Settings.from_environment()
    configure_logs(settings.log_level)
    app = Application("webapp", static_folder="pages/static", template_folder="pages/templates")
    app.config.update(settings.flask())
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    db.init_app(app)
    celery = make_celery(app)
    app.extensions["publisher"] = Publisher(celery)
    init_formats(app)
    return app


def make_celery(app: Flask) -> Celery:
    """The Celery application; its tasks run inside the Flask application's context."""

    class TaskInContext(Task):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=TaskInContext)
    celery.config_from_object(app.config["CELERY"])
    celery.set_default()
    app.extensions["celery"] = celery
    return celery
