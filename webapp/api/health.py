"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import redis
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from models.db.base import db
from webapp.auth.guard import open_to_all
from webapp.core.revisions import known_revisions
from webapp.services.jobs.backlog import late_lanes
from webapp.services.jobs.kinds import LANES

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@open_to_all("the supervisor asks it, and it tells nothing")
def healthz() -> Response:
    """The process lives."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@open_to_all("load balancers ask it, and it tells nothing of any tenant")
def readyz() -> Response:
    """Database, migrations, broker and lanes.

    With a dead broker, a newer database or late jobs all still works.
    """
    checks = {"database": "ok", "migrations": "ok", "broker": "ok", "lanes": "ok"}
    ready = False
    try:
        with db.engines["read"].connect() as connection:
            migrated = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
            revision = (
                connection.scalar(text("SELECT version_num FROM alembic_version"))
                if migrated
                else None
            )
        checks["migrations"], ready = _compare(revision)
        if ready and (late := late_lanes()):
            told = ", ".join(
                f"{name} by {age - LANES[name].aim:.0f} s" for name, age in late.items()
            )
            checks["lanes"] = f"late: {told}"
    except SQLAlchemyError:
        checks["database"] = "unreachable"
        checks["migrations"] = checks["lanes"] = "unknown"
    url = current_app.config["SETTINGS"].redis_url
    try:
        with redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5) as broker:
            broker.ping()
    except redis.RedisError:
        checks["broker"] = "unreachable; the dispatcher runs the jobs meanwhile"
    response = jsonify(status="ready" if ready else "not ready", checks=checks)
    response.status_code = 200 if ready else 503
    if not ready:
        response.headers["Retry-After"] = "2"
    return response


def _compare(revision: str | None) -> tuple[str, bool]:
    """What to say of the database's revision, and whether this process can work with it.

    A revision that this process has no migration for is a newer one: an upgrade migrates first,
    and the processes before it work on until they are replaced.
    """
    newest, *older = known_revisions()
    if revision == newest:
        return "ok", True
    if revision is None or revision in older:
        return f"at {revision or 'base'}, expected {newest}: run `sx migrate`", False
    return f"at {revision}, newer than this process", True
