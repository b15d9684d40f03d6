"""From an exception to an answer, once: application/problem+json (RFC 9457)."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
import structlog
from flask import Flask, Response, g, json, render_template, request
from marshmallow import ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    RequestedRangeNotSatisfiable,
    TooManyRequests,
)

from webapp.extensions import limiter
from webapp.services.common import exceptions as domain
from webapp.services.files.contents import InsufficientStorage

log = structlog.get_logger(__name__)

STATUS: dict[type[domain.DomainError], int] = {
    domain.Unauthorized: 401,
    domain.Forbidden: 403,
    domain.NotFound: 404,
    domain.Conflict: 409,
    domain.LinkReplaced: 410,
    domain.StaleVersion: 412,
    domain.IdempotencyKeyReused: 422,
    domain.Invalid: 422,
    domain.Unavailable: 503,
    InsufficientStorage: 507,
}
TITLES = {
    400: "Bad request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found",
    405: "Method not allowed", 409: "Conflict", 410: "Gone", 412: "Precondition failed",
    413: "Body too large", 415: "Unsupported media type", 416: "Range not satisfiable",
    422: "Invalid input", 429: "Too many requests", 500: "Internal error", 503: "Unavailable",
    507: "Insufficient storage",
}  # fmt: skip
RETRY_SECONDS = 2


def slug(kind: type[domain.DomainError]) -> str:
    """The problem's type: its class's name in kebab case, such as `already-signed`."""
    name = kind.__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def status_of(kind: type[domain.DomainError]) -> int:
    """The HTTP status that a problem of this kind is answered with."""
    return next(STATUS[cls] for cls in kind.__mro__ if cls in STATUS)


def problem(status: int, detail: str, *, kind: str = "about:blank", **extra: Any) -> Response:
    """The answer: application/problem+json, or a page for a browser that asked for one."""
    response = _page(status, detail) if _wants_page() else _json(status, detail, kind, extra)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _wants_page() -> bool:
    return (
        not request.path.startswith("/api/") and request.accept_mimetypes.quality("text/html") > 0
    )


def _page(status: int, detail: str) -> Response:
    body = render_template(
        "errors/error.html",
        status=status,
        title=TITLES.get(status, "Error"),
        detail=detail,
        request_id=g.get("request_id"),
    )
    return Response(body, status=status, mimetype="text/html")


def _json(status: int, detail: str, kind: str, extra: Mapping[str, Any]) -> Response:
    body = {
        "type": kind,
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": quote(request.path),
        "request_id": str(g.get("request_id", "")),
        **extra,
    }
    response = Response(
        json.dumps(_wire(body)), status=status, content_type="application/problem+json"
    )
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Service Engine X"'
    return response


def _wire(value: Any) -> Any:
    return {k: str(v) if isinstance(v, UUID) else v for k, v in value.items()}


def from_domain(error: domain.DomainError) -> Response:
    status = status_of(type(error))
    extra = dict(error.extra)
    if isinstance(error, domain.Invalid):
        extra["errors"] = error.errors
    return problem(status, error.detail, kind=f"/problems/{slug(type(error))}", **extra)


def from_http(error: HTTPException) -> Response:
    """Werkzeug's own errors: routing, methods, sizes, rate limits, and webargs' 422."""
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    messages = getattr(error, "data", {}).get("messages") if hasattr(error, "data") else None
    if error.code == 422 and messages:
        return from_domain(domain.Invalid(flatten(messages)))
    if isinstance(error, TooManyRequests):
        return _too_many(error)
    response = problem(error.code, error.description or "")
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestedRangeNotSatisfiable):
        response.headers["Content-Range"] = f"{error.units} */{error.length}"
    return response


def _too_many(error: TooManyRequests) -> Response:
    """429 with Retry-After, taken from the limit that was reached where it is known."""
    reached = limiter.current_limit
    seconds = max(1, math.ceil(reached.reset_at - time.time())) if reached else 60
    response = problem(429, f"Too many requests from your address; try again in {seconds} s.")
    response.headers["Retry-After"] = str(seconds)
    return response


def flatten(messages: Any, prefix: str = "") -> dict[str, list[str]]:
    """Field errors by their path (`items.0.price`), without the location webargs puts first."""
    found: dict[str, list[str]] = {}
    if not isinstance(messages, dict):
        return {prefix or "body": [str(m) for m in messages]}
    for key, value in messages.items():
        if not prefix and key in ("json", "query", "query_args", "form", "headers", "_schema"):
            path = ""
        else:
            path = f"{prefix}.{key}" if prefix else str(key)
        path = path.removesuffix("._schema")
        found.update(flatten(value, path))
    return found


def from_database(error: DBAPIError) -> Response:
    """What the database itself refused, or that it cannot be reached."""
    if isinstance(error, IntegrityError):
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
        log.warning("constraint_refused", name=constraint)
        return from_domain(domain.Conflict("This conflicts with what is stored."))
    if isinstance(error, OperationalError) or isinstance(
        error.orig, (psycopg.OperationalError, psycopg.InterfaceError)
    ):
        return from_domain(domain.Unavailable("The database cannot be reached; try again."))
    return from_unexpected(error)


def from_unexpected(error: Exception) -> Response:
    """A defect. The log gets its kind and place, the client only the request's id."""
    log.error("unexpected_error", error=type(error).__name__, where=_path_of(error))
    return problem(500, "Something went wrong here; the request id helps us to find it.")


def _path_of(error: BaseException) -> str:
    """Where it came from, as `module:line < …`, innermost first; no values, they may be secret."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))


def init_errors(app: Flask) -> None:
    app.register_error_handler(domain.DomainError, from_domain)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(
        ValidationError, lambda e: from_domain(domain.Invalid(flatten(e.normalized_messages())))
    )
    app.register_error_handler(DBAPIError, from_database)
    app.register_error_handler(
        PoolTimeout, lambda _e: from_domain(domain.Unavailable("All connections are busy."))
    )
    app.register_error_handler(
        psycopg.OperationalError,
        lambda _e: from_domain(domain.Unavailable("The database cannot be reached; try again.")),
    )
    app.register_error_handler(Exception, from_unexpected)
