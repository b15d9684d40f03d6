"""Logging in to the console, and out of it."""

from __future__ import annotations

import re
from contextlib import suppress

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from models.db.tenancy import as_system
from webapp.auth import browser
from webapp.auth.credentials import session_context, session_of_browser
from webapp.auth.guard import open_to_all, requires
from webapp.core.transaction import in_transaction
from webapp.extensions import limiter
from webapp.http.caller import user_agent
from webapp.pages.console import blueprint
from webapp.services.common.exceptions import Forbidden, Unauthorized
from webapp.services.identity import sessions

ANYBODY = "whoever is not logged in yet logs in here"
# Where a log-in may lead: a page of the console, and no other site's.
_NEXT = re.compile(r"/console(?:/[A-Za-z0-9/_~-]*)?(?:\?[A-Za-z0-9/=&%._~+-]*)?")
# The same for an unknown email, a wrong password, and what is locked or disabled.
REFUSED = (
    "The email or the password is not right. After several failed attempts logging in is locked"
    " for a while; wait a few minutes before you try again."
)


@blueprint.get("/login")
@open_to_all(ANYBODY)
def login() -> Response:
    return _login_page()


@blueprint.post("/login")
@limiter.limit("10/minute")
@open_to_all(ANYBODY)
def log_in() -> Response | AnyResponse:
    try:
        browser.check_form(browser.cookie(browser.LOGIN))
    except Forbidden as error:
        return _login_page(403, error.detail)
    ip, agent = request.remote_addr, user_agent()
    email = request.form.get("email", "").strip()
    attempt = sessions.check_login(
        email, request.form.get("password", ""), ip=ip, slug=_organization()
    )
    secret = browser.new_secret()
    if attempt is None or not in_transaction(
        as_system(attempt.organization_id),
        lambda: sessions.finish_login(attempt, secret, ip=ip, user_agent=agent),
    ):
        sessions.note_failed_login(email, ip=ip, user_agent=agent)
        return _login_page(422, REFUSED)
    _end_session_before()
    response = redirect(_next_page() or url_for("console.home"), 303)
    browser.set_cookie(response, browser.SESSION, secret, int(sessions.LIFETIME.total_seconds()))
    return response


@blueprint.post("/logout")
@requires("identity:read", credential=session_context)
def logout() -> AnyResponse:
    sessions.end_session()
    response = redirect(url_for("console.login"), 303)
    browser.drop_cookie(response, browser.SESSION)
    return response


def _login_page(status: int = 200, refused: str | None = None) -> Response:
    secret = browser.cookie(browser.LOGIN) or browser.new_secret()
    response = make_response(
        render_template(
            "console/login.html",
            csrf_token=browser.form_token(secret),
            form={"email": request.form.get("email", "")},
            errors={"_form": [refused]} if refused else {},
            next=_next_page(),
            organization_slug=_organization(),
        ),
        status,
    )
    browser.set_cookie(response, browser.LOGIN, secret)
    return response


def _next_page() -> str | None:
    """The page of the console that `next` names; None for anything else."""
    wanted = request.args.get("next", "")
    return wanted if _NEXT.fullmatch(wanted) else None


def _organization() -> str | None:
    """The slug of the organization to log in to, for whoever works for several."""
    return request.args.get("organization", "")[:63].replace("\0", "") or None


def _end_session_before() -> None:
    """A login replaces the session that this browser had, whoever's it was."""
    with suppress(Unauthorized):
        in_transaction(session_of_browser("identity:read"), sessions.end_session)
