"""What is created once per application: sessions, Celery, the publisher, limits."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from flask import Blueprint, Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from models.db.base import db
from webapp.core.key_uses import KeyUses
from webapp.core.wake_ups import Publisher

# For each address and route; only the routes that anybody may call have limits, so that the
# others cost no round trip. Generous enough for a page that asks again until it is complete.
READS_BY_ANYBODY = "60/minute"
WRITES_BY_ANYBODY = "20/minute"
# How the permissions of such routes begin (webapp/auth/guard.py).
OPEN, LINK = "open:", "link:"


limiter = Limiter(get_remote_address)


@limiter.request_filter
def needs_a_login() -> bool:
    """Routes whose callers log in have no limits, so nobody asks for them."""
    view = current_app.view_functions.get(request.endpoint or "")
    return not getattr(view, "permission", OPEN).startswith((OPEN, LINK))


def limit_anybody(blueprint: Blueprint) -> None:
    """Limit all routes of a blueprint that callers reach without a login."""
    limiter.limit(READS_BY_ANYBODY, methods=["GET", "HEAD"])(blueprint)
    limiter.limit(WRITES_BY_ANYBODY, methods=["POST"])(blueprint)


def init_extensions(app: Flask) -> None:
    """Attach the extensions to `app`."""
    db.init_app(app)
    limiter.init_app(app)
    celery = make_celery(app)
    app.extensions["publisher"] = Publisher(celery)
    app.extensions["key_uses"] = KeyUses(app)


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
