"""The owner's side of the database: migrations, and what only the owner sees."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from webapp.config import Settings, SettingsError
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE, SESSION_SETTINGS, role_password

# One migration at a time, whoever starts it: an advisory lock with a number of our own.
_MIGRATION_LOCK = 0x53585F4D


def owner_engine(settings: Settings) -> Engine:
    """An engine as the owner of the tables. Raises SettingsError without DATABASE_URL."""
    if settings.owner_url is None:
        raise SettingsError("DATABASE_URL is not set: migrations run as the owner of the tables")
    return create_engine(settings.owner_url, poolclass=NullPool, connect_args=settings.connect_args)


def alembic_config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).resolve().parents[2] / "migrations")
    )
    config.attributes["connection"] = connection
    return config


def migrate(settings: Settings, revision: str = "head") -> str:
    """Bring the database to `revision`; returns the revision it is at afterwards.

    When a migration fails, those before it stay. Others that migrate meanwhile wait.
    """
    with owner_engine(settings).connect() as connection:
        _wait_for_others(connection)
        prepare_roles(connection, settings)
        connection.commit()
        if revision == "base" or revision.startswith("-"):
            command.downgrade(alembic_config(connection), revision)
        else:
            command.upgrade(alembic_config(connection), revision)
        return current_revision(connection) or "base"


def _wait_for_others(connection: Connection) -> None:
    """Hold the migrations' lock until the connection is closed.

    It is asked for again and again: a statement that waited for it would be an open transaction,
    which an index built concurrently waits for in turn.
    """
    taken = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.scalar(taken, {"key": _MIGRATION_LOCK}):
        connection.rollback()
        time.sleep(0.2)


def prepare_roles(connection: Connection, settings: Settings) -> None:
    """Make the application's and the dispatcher's role, or let the given users have their rights.

    Roles belong to the whole server, so they are not part of a migration. Neither owns a table
    nor bypasses row-level security (tenancy.md).
    """
    for role, url in ((APP_ROLE, settings.app_url), (DISPATCHER_ROLE, settings.dispatcher_url)):
        known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
        user = url.username or role
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        if role not in known:
            driver.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        if user != role:
            if user not in known:
                raise SettingsError(f"the database has no user {user}; create it first")
            driver.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(user))
            )
        elif url.password == role_password(role, settings.secret_key):
            # The verifier is made here, so that the password reaches no server log.
            verifier = driver.pgconn.encrypt_password(
                url.password.encode(), role.encode(), b"scram-sha-256"
            )
            driver.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(verifier.decode())
                )
            )
        for name, value in SESSION_SETTINGS.items():
            driver.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                    sql.Identifier(user),
                    sql.Identifier(driver.info.dbname),
                    sql.Identifier(name),
                    sql.Literal(value),
                )
            )


def check_models(settings: Settings) -> None:
    """Raises alembic's CommandError when the models and the migrated database differ."""
    with owner_engine(settings).connect() as connection:
        command.check(alembic_config(connection))


def current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def organization_id(settings: Settings, slug: str) -> UUID | None:
    """The organization with this slug, looked up by the owner of the tables, or None."""
    with owner_engine(settings).connect() as connection:
        found: UUID | None = connection.scalar(
            text("SELECT find_organization(:slug)"), {"slug": slug}
        )
        return found
