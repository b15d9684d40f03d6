"""The two roles of the database that the application uses, and what belongs to them.

It imports nothing, so that the supervisor can look at a database without loading the application.
"""

from __future__ import annotations

import hashlib
import hmac

APP_ROLE = "sx_app"
DISPATCHER_ROLE = "sx_dispatcher"

# The roles' session settings (settings.md, *What is not a setting*): kept with the role, not sent
# by the client, so that they hold behind a pooler too.
SESSION_SETTINGS = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}


def role_password(role: str, secret_key: bytes) -> str:
    """The password of a database role that the migration makes, derived from SECRET_KEY."""
    return hmac.new(secret_key, f"database-role:{role}".encode(), hashlib.sha256).hexdigest()
