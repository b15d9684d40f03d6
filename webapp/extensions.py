"""What is created once per application: sessions, Celery, the publisher, limits."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from models.access import watch_sessions
from models.base import db
from webapp.publisher import Publisher

# Kinds whose jobs are drained in batches: one hint stands for many rows.
BATCHED_KINDS = ("activity.record", "conversations.touch")

limiter = Limiter(get_remote_address)


def init_extensions(app: Flask) -> None:
    """Attach the extensions to `app`."""
    db.init_app(app)
    with app.app_context():
        watch_sessions()
    limiter.init_app(app)
    celery = make_celery(app)
    app.extensions["publisher"] = Publisher(celery, BATCHED_KINDS)


def make_celery(app: Flask) -> Celery:
    """The Celery application; its tasks run inside the Flask application's context."""

    class TaskInContext(Task):  # type: ignore[type-arg]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=TaskInContext)
    celery.config_from_object(app.config["CELERY"])
    celery.set_default()
    app.extensions["celery"] = celery
    return celery
