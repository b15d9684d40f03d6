"""The settings of the stack that `make run` runs here, for commands given beside it."""

from __future__ import annotations

import os
from pathlib import Path

from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.state import StateFile
from webapp.devstack.valkey import EmbeddedValkey


def settings_beside(var: Path) -> dict[str, str]:
    """The environment that leads to the embedded servers of `var`; empty if there are none.

    The address is that of the stack, which stands in its lock file. Raises StartError when the
    secrets cannot be read.
    """
    state = StateFile(var)
    names = ("secret_key", "postgres_password", "postgres_port", "valkey_password", "valkey_port")
    if any(state.get(name) is None for name in names):
        return {}
    env = {
        "SECRET_KEY": state.secret("secret_key"),
        "DATABASE_URL": EmbeddedPostgres(var, port=_port(state, "postgres_port")).owner_url,
        "REDIS_URL": EmbeddedValkey(var, port=_port(state, "valkey_port")).url,
        "VAR_DIR": str(var.resolve()),
    }
    lock = var / "up.lock"
    address = lock.read_text().strip().partition(" ")[2] if lock.exists() else ""
    return env | ({"BASE_URL": address} if address else {})


def use_settings_beside() -> None:
    """Let this process use them, unless its environment names a database of its own."""
    if not os.environ.get("DATABASE_URL") and not os.environ.get("DATABASE_APP_URL"):
        found = settings_beside(Path(os.environ.get("VAR_DIR", "var")))
        for name, value in found.items():
            os.environ.setdefault(name, value)


def _port(state: StateFile, name: str) -> int:
    return int(state.get(name) or 0)
