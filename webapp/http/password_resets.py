"""Password resets as the page and the API answer them alike."""

from __future__ import annotations

from flask import current_app, request

from models.db.tenancy import as_system
from webapp.core.transaction import in_transaction
from webapp.core.wake_ups import publisher
from webapp.http.caller import user_agent
from webapp.services.common import secrets
from webapp.services.identity import password_resets


def ask(email: str) -> None:
    """Have the link mailed, if somebody has this email."""
    secret_key = current_app.config["SETTINGS"].secret_key
    password_resets.ask_for_reset(
        email, secret_key, ip=request.remote_addr, user_agent=user_agent()
    )
    publisher().publish([password_resets.MAIL.lane])


def confirm(token: str, password: str) -> None:
    """Give the link's person this password. Raises NotFound, and Invalid naming `password`."""
    ip, agent = request.remote_addr, user_agent()
    link = password_resets.find_reset(token)
    password_hash = secrets.hash_password(password)  # it takes its time, so in no transaction
    in_transaction(
        as_system(link.organization_id),
        lambda: password_resets.finish_reset(link, password_hash, ip=ip, user_agent=agent),
    )
