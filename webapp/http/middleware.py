"""What every request gets: an id, a line in the log, and the security headers.

Most of it is done around Flask, on the plain header list: there it costs a tenth.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, g, request
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.middleware.proxy_fix import ProxyFix

from models.db.base import uuid7

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger("request")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Given unless the response has its own.
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Cache-Control", "no-store"),
)
_HTTPS_ONLY = ("Strict-Transport-Security", "max-age=31536000")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_GIVEN_ID, _METHOD = "HTTP_X_REQUEST_ID", "REQUEST_METHOD"
_ID, _ROUTE = "sx.request_id", "sx.route"


def init_requests(app: Flask) -> None:
    """Attach what every request gets to `app`."""
    app.wsgi_app = Attended(app.wsgi_app)  # type: ignore[method-assign]
    # Forwarded addresses are believed from as many proxies as there are: the signature's evidence
    # and the rate limits go by them.
    hops = app.config["SETTINGS"].trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    app.before_request(start_request)
    app.session_interface = NoFlaskSession()


class Attended:
    """A WSGI application whose requests get an id, the headers and a line in the log each."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = environ.get(_GIVEN_ID, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid7().hex
        environ[_ID] = request_id
        began = time.perf_counter()

        def with_headers(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            there = {name.lower() for name, _ in headers}
            headers.append(("X-Request-ID", request_id))
            headers += [pair for pair in HEADERS if pair[0].lower() not in there]
            if environ["wsgi.url_scheme"] == "https":
                headers.append(_HTTPS_ONLY)
            log.info(
                "request",
                request_id=request_id,
                method=environ[_METHOD],
                # The route's pattern, never the address: a link's token stands in that.
                route=environ.get(_ROUTE),
                status=int(status[:3]),
                milliseconds=round((time.perf_counter() - began) * 1000, 1),
            )
            return start_response(status, headers, *error)

        return self._app(environ, with_headers)


def start_request() -> None:
    """Let the application know the request's id, and the log the route."""
    environ = request.environ
    g.request_id = environ[_ID]
    rule = request.url_rule
    if rule is not None:
        environ[_ROUTE] = rule.rule


class NoFlaskSession(SessionInterface):
    """Nobody has a session of Flask's: logins are rows (`webapp/services/identity`)."""

    def open_session(self, app: Flask, request: Any) -> SessionMixin | None:
        """None: whoever uses it all the same is told."""
        return None
