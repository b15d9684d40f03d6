"""Whether the database is as `sx migrate` would leave it, asked without loading the application."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from webapp.core.revisions import known_revisions
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE, SESSION_SETTINGS, role_password

CONNECT_SECONDS = 3
ADDRESSES = {APP_ROLE: "DATABASE_APP_URL", DISPATCHER_ROLE: "DATABASE_DISPATCHER_URL"}
_SETTINGS = ", ".join(f"current_setting('{name}')" for name in SESSION_SETTINGS)


def is_migrated(env: Mapping[str, str]) -> bool:
    """Whether the database is at the newest revision, and both roles may log in and are set up.

    In any doubt the answer is no: `sx migrate` does what is missing, or says what is wrong.
    """
    try:
        return _is_newest(env) and all(_is_set_up(role, env) for role in ADDRESSES)
    except psycopg.Error:
        return False


def _is_newest(env: Mapping[str, str]) -> bool:
    """Whether the database is at the newest revision; asks so that an empty one logs no error."""
    with psycopg.connect(env["DATABASE_URL"], connect_timeout=CONNECT_SECONDS) as connection:
        there = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        if there != (True,):
            return False
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return rows == [(known_revisions()[0],)]


def _is_set_up(role: str, env: Mapping[str, str]) -> bool:
    """Whether who logs in for the role has its rights and its session settings."""
    with _connect_as(role, env) as connection:
        row = connection.execute(
            f"SELECT pg_has_role(current_user, %s, 'member'), {_SETTINGS}", [role]
        ).fetchone()
        return row == (True, *SESSION_SETTINGS.values())


def _connect_as(role: str, env: Mapping[str, str]) -> psycopg.Connection[tuple[object, ...]]:
    """At the address that is given for the role, else at the owner's with the role's password."""
    given = env.get(ADDRESSES[role])
    if given:
        return psycopg.connect(given, connect_timeout=CONNECT_SECONDS)
    return psycopg.connect(
        env["DATABASE_URL"],
        user=role,
        password=role_password(role, env["SECRET_KEY"].encode()),
        connect_timeout=CONNECT_SECONDS,
    )
