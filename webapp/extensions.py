"""What an application that answers requests has besides: limits, and the notes of used keys."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from webapp.core.key_uses import KeyUses

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
    """Attach to `app` what only requests need."""
    limiter.init_app(app)
    app.extensions["key_uses"] = KeyUses(app)
