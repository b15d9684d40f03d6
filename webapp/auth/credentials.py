"""From a request to a context: which secret was sent, checked for form before the database."""

from __future__ import annotations

from collections.abc import Callable

from flask import current_app, request

from models.db.tenancy import Principal, ShownCredential, TenantContext
from webapp.auth import browser
from webapp.auth.permissions import demand
from webapp.core.key_uses import KeyUses
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

    return TenantContext(ShownCredential("api_key", secrets.digest(key), admit))


def signing_link_context(permission: str) -> TenantContext:
    """The context of a client who holds a signing link. Raises NotFound for an unknown token."""
    token = (request.view_args or {}).get("token", "")
    if not secrets.is_link_token(token):
        raise NotFound("This link is not known. Check that it was copied whole.")

    def admit(principal: Principal | None) -> None:
        if principal is None:
            raise NotFound("This link is not known. Check that it was copied whole.")
        demand(principal, permission)

    return TenantContext(ShownCredential("signing_link", secrets.digest(token), admit))


def session_context(permission: str) -> TenantContext:
    """The context of somebody who is logged in to the console. Raises Unauthorized without one.

    What changes something must come from one of our own forms: raises Forbidden otherwise.
    """
    context = session_of_browser(permission)
    if request.method not in SAFE_METHODS:
        browser.check_form(browser.cookie(browser.SESSION))
    return context


def session_of_browser(permission: str) -> TenantContext:
    """`session_context` whatever form the request came from: the log-in form has its own check."""
    secret = browser.cookie(browser.SESSION)
    if secret is None:
        raise Unauthorized("Log in first.")

    def admit(principal: Principal | None) -> None:
        if principal is None:
            raise Unauthorized("Log in first.")
        demand(principal, permission)

    return TenantContext(ShownCredential("session", secrets.digest(secret), admit))
