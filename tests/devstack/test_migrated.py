"""The short look whether a database is migrated: no whenever `sx migrate` has something to do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from alembic.script import ScriptDirectory

from tests.conftest import PRISTINE, Servers
from webapp.config import Settings
from webapp.core.database import alembic_config, migrate
from webapp.core.revisions import known_revisions
from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE
from webapp.devstack.migrated import is_migrated

pytestmark = pytest.mark.long


@pytest.fixture
def env(servers: Servers) -> Iterator[dict[str, str]]:
    """The environment of a migrated database of the test's own."""
    name = f"migrated_{secrets.token_hex(6)}"
    env = servers.env | {"DATABASE_URL": servers.postgres.create_database(name, template=PRISTINE)}
    migrate(Settings.from_environment(env))
    yield env
    servers.postgres.drop_database(name)


def change(env: dict[str, str], statement: str) -> None:
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def test_the_revisions_read_from_the_files_are_those_alembic_knows() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert known_revisions() == tuple(script.revision for script in scripts.walk_revisions())


def test_a_migrated_database_needs_no_migration(env: dict[str, str]) -> None:
    assert is_migrated(env)


@pytest.mark.parametrize(
    "revision", [known_revisions()[1], "9999"], ids=["an older one", "a newer one"]
)
def test_a_database_at_another_revision_is_left_to_the_migration(
    env: dict[str, str], revision: str
) -> None:
    change(env, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert not is_migrated(env)


def test_an_empty_or_missing_database_is_left_to_the_migration(servers: Servers) -> None:
    name = f"empty_{secrets.token_hex(6)}"
    env = servers.env | {"DATABASE_URL": servers.postgres.create_database(name)}
    assert not is_migrated(env)
    servers.postgres.drop_database(name)
    assert not is_migrated(env)


def test_an_address_that_only_the_application_understands_is_left_to_the_migration(
    env: dict[str, str],
) -> None:
    url = env["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    assert not is_migrated(env | {"DATABASE_URL": url})


def test_roles_with_the_password_of_another_secret_key_are_left_to_the_migration(
    env: dict[str, str],
) -> None:
    assert not is_migrated(env | {"SECRET_KEY": secrets.token_hex(32)})


@pytest.mark.parametrize("role", [APP_ROLE, DISPATCHER_ROLE])
def test_a_role_without_its_session_settings_is_left_to_the_migration(
    env: dict[str, str], role: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(env["DATABASE_URL"])["dbname"]
    change(env, f'ALTER ROLE {role} IN DATABASE "{name}" RESET lock_timeout')
    assert not is_migrated(env)


def test_a_user_who_has_not_been_given_the_role_is_left_to_the_migration(
    env: dict[str, str],
) -> None:
    user = f"web_{secrets.token_hex(4)}"
    change(env, f"CREATE ROLE {user} LOGIN PASSWORD 'chosen'")
    own = env | {"DATABASE_APP_URL": _as_user(env["DATABASE_URL"], user, "chosen")}
    try:
        assert not is_migrated(own)
        migrate(Settings.from_environment(own))
        assert is_migrated(own)
    finally:
        change(env, f"DROP OWNED BY {user}")
        change(env, f"DROP ROLE {user}")


def _as_user(url: str, user: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}"
