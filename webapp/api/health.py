"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import redis
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from models.db.base import db
from webapp.auth.guard import open_to_all
from webapp.core.database import head_revision

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@open_to_all("the supervisor asks it, and it tells nothing")
def healthz() -> Response:
    """The process lives."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@open_to_all("load balancers ask it, and it tells nothing of any tenant")
def readyz() -> Response:
    """Database, migrations and broker. A dead broker is told, but everything still works."""
    checks = {"database": "ok", "migrations": "ok", "broker": "ok"}
    try:
        with db.engines["read"].connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if revision != head_revision():
            checks["migrations"] = f"at {revision}, expected {head_revision()}: run `sx migrate`"
    except SQLAlchemyError:
        checks["database"] = "unreachable"
        checks["migrations"] = "unknown"
    url = current_app.config["SETTINGS"].redis_url
    try:
        with redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5) as broker:
            broker.ping()
    except redis.RedisError:
        checks["broker"] = "unreachable; the dispatcher runs the jobs meanwhile"
    ready = checks["database"] == "ok" and checks["migrations"] == "ok"
    response = jsonify(status="ready" if ready else "not ready", checks=checks)
    response.status_code = 200 if ready else 503
    if not ready:
        response.headers["Retry-After"] = "2"
    return response
