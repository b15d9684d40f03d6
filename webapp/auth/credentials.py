"""From a request to a context: which secret was sent, checked for form before the database."""

from __future__ import annotations

from collections.abc import Callable

from flask import current_app, request

from models.db.tenancy import Principal, ShownCredential, TenantContext
from webapp.auth import browser
from webapp.auth.permissions import demand
from webapp.core.key_uses import KeyUses
from webapp.http.caller import address, user_agent
from webapp.services.common import secrets
from webapp.services.common.exceptions import NotFound, Unauthorized

Admit = Callable[[Principal | None], None]

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def api_key_context(permission: str) -> TenantContext:
    """The context of a REST caller. Raises Unauthorized without a well-formed key.

    Keys are taken from the Authorization header only, never from cookies or the address.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.is_api_key(key):
        raise Unauthorized()

    uses: KeyUses = current_app.extensions["key_uses"]

    def admit(principal: Principal | None) -> None:
        if principal is None:
            raise Unauthorized()
        demand(principal, permission)
        uses.note(principal)

    return _shown("api_key", key, admit)


def signing_link_context(permission: str) -> TenantContext:
    """The context of a client who holds a signing link. Raises NotFound for an unknown token."""
    token = (request.view_args or {}).get("token", "")
    if not secrets.is_link_token(token):
        raise NotFound("This link is not known. Check that it was copied whole.")

    def admit(principal: Principal | None) -> None:
        if principal is None:
            raise NotFound("This link is not known. Check that it was copied whole.")
        demand(principal, permission)

    return _shown("signing_link", token, admit)


def invitation_context(token: str) -> TenantContext:
    """The context of somebody who was invited. Raises NotFound for what is no link (any more)."""
    unknown = "This invitation is not known or not valid any more."
    if not secrets.is_link_token(token):
        raise NotFound(unknown)

    def admit(principal: Principal | None) -> None:
        if principal is None:
            raise NotFound(unknown)

    return _shown("invitation", token, admit)


def session_context(permission: str) -> TenantContext:
    """The context of somebody who is logged in to the console. Raises Unauthorized without one.

    What changes something must come from one of our own forms: raises Forbidden otherwise.
    """
    context = session_of_browser(permission)
    if request.method not in SAFE_METHODS:
        browser.check_form(browser.cookie(browser.SESSION))
    return context


def key_or_session_context(permission: str) -> TenantContext:
    """The context of a REST caller or of somebody who is logged in to the console.

    A script of the console's pages sends the form's token as `X-CSRF-Token`.
    """
    if "Authorization" in request.headers or browser.cookie(browser.SESSION) is None:
        return api_key_context(permission)
    return session_context(permission)


def session_of_browser(permission: str) -> TenantContext:
    """`session_context` whatever form the request came from: the log-in form has its own check."""
    secret = browser.cookie(browser.SESSION)
    if secret is None:
        raise Unauthorized("Log in first.")

    uses: KeyUses = current_app.extensions["key_uses"]

    def admit(principal: Principal | None) -> None:
        if principal is None:
            raise Unauthorized("Log in first.")
        demand(principal, permission)
        uses.note(principal)

    return _shown("session", secret, admit)


def _shown(kind: str, secret: str, admit: Admit) -> TenantContext:
    return TenantContext(
        ShownCredential(kind, secrets.digest(secret), admit, address(), user_agent())
    )
