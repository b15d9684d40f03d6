"""What browsers keep for us and send back: cookies with a secret, and forms bound to them.

A form carries a token derived from the secret in the sender's cookie, so that no other site can
make one that is accepted (security.md, *Passwords and sessions*).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as random
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.wrappers import Response

from webapp.services.common.exceptions import Forbidden
from webapp.services.common.secrets import is_link_token

SESSION = "session"
LOGIN = "login"  # binds the log-in form to its browser, before there is a session
TOKEN_FIELD = "csrf_token"  # noqa: S105
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 - for what scripts send, which is no form


def new_secret() -> str:
    """256 random bits, URL-safe (43 characters)."""
    return random.token_urlsafe(32)


def cookie(purpose: str) -> str | None:
    """The secret in the caller's cookie; None without a well-formed one."""
    secret = request.cookies.get(_name(purpose), "")
    return secret if is_link_token(secret) else None


def set_cookie(response: Response, purpose: str, secret: str, seconds: int | None = None) -> None:
    """Have the browser keep the secret for `seconds`, or until it is closed."""
    response.set_cookie(
        _name(purpose), secret, max_age=seconds, path="/",
        secure=_is_secure(), httponly=True, samesite="Lax",
    )  # fmt: skip


def drop_cookie(response: Response, purpose: str) -> None:
    response.delete_cookie(
        _name(purpose), path="/", secure=_is_secure(), httponly=True, samesite="Lax"
    )


def form_token(secret: str) -> str:
    """The token for the forms of the browser whose cookie holds `secret`."""
    key: bytes = current_app.config["SETTINGS"].secret_key
    return hmac.new(key, b"form:" + secret.encode(), hashlib.sha256).hexdigest()


def check_form(secret: str | None) -> None:
    """Raises Forbidden unless the form came from one of our pages in the browser with `secret`."""
    check_origin()
    sent = request.form.get(TOKEN_FIELD) or request.headers.get(TOKEN_HEADER, "")
    if secret is None or not hmac.compare_digest(form_token(secret).encode(), sent.encode()):
        raise Forbidden(
            "This form was open for too long, or cookies are switched off. Load the page again"
            " and repeat what you did."
        )


def check_origin() -> None:
    """Raises Forbidden when the browser says that another site's page sent the request."""
    origin = request.headers.get("Origin")
    if origin is None:
        return
    base = urlsplit(current_app.config["SETTINGS"].base_url)
    # The second is the address as the browser itself wrote it, such as localhost for 127.0.0.1.
    if origin not in (f"{base.scheme}://{base.netloc}", request.host_url.rstrip("/")):
        raise Forbidden("This request came from another site's page.")


def _is_secure() -> bool:
    base_url: str = current_app.config["SETTINGS"].base_url
    return base_url.startswith("https://")


def _name(purpose: str) -> str:
    """`__Host-` ties the cookie to this host and to TLS; browsers refuse it without TLS."""
    return f"__Host-sx_{purpose}" if _is_secure() else f"sx_{purpose}"
