"""Migrations keep the application working: which indexes they build, and how they fail."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.conftest import PRISTINE, Servers
from tests.models.migration_source import faults
from tests.support.tenants import eventually
from webapp.config import Settings
from webapp.core.database import (
    _MIGRATION_LOCK,
    alembic_config,
    migrate,
    owner_engine,
)
from webapp.core.revisions import known_revisions

VERSIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"
FIRST_CONCURRENT = "0005"  # earlier ones were written before there was anything to block

GOOD = """
from migrations.indexes import create_index_concurrently, drop_index_concurrently
def upgrade():
    create_index_concurrently("ix_jobs_kind", "jobs", "organization_id", "kind")
def downgrade():
    drop_index_concurrently("ix_jobs_kind")
"""
NEW_TABLE = """
def upgrade():
    op.create_table("notes", sa.Column("name", sa.String(), unique=True))
    op.create_index("ix_notes_name", "notes", ["name"])
    op.execute("CREATE UNIQUE INDEX uq_notes ON notes (lower(name))")
"""
BAD = {
    "create_index": 'op.create_index("ix", "jobs", ["kind"])',
    "create_index by keyword": 'op.create_index("ix", table_name="jobs", columns=["kind"])',
    "a batch": 'batch.create_index("ix", ["kind"])',
    "SQL": 'op.execute("create  unique index ix ON jobs (kind)")',
    "SQL of a name that is put together": 'op.execute(f"CREATE INDEX {name} ON {table} (kind)")',
    "SQL in parts": 'op.execute("CREATE INDEX ix" " ON jobs (kind)")',
    "SQL kept in a name": 'INDEX = "CREATE INDEX ix ON jobs (kind)"',
    "a unique constraint": 'op.create_unique_constraint("uq", "jobs", ["kind"])',
    "a unique constraint in SQL": 'op.execute("ALTER TABLE jobs ADD CONSTRAINT uq UNIQUE (kind)")',
    "a column with an index": 'op.add_column("jobs", sa.Column("x", sa.String(), index=True))',
    "a unique column": 'op.add_column("jobs", sa.Column("x", sa.String(), unique=True))',
    "CONCURRENTLY without the helper": 'op.execute("CREATE INDEX CONCURRENTLY ix ON jobs (kind)")',
    "more than the helper": 'create_index_concurrently("ix", "jobs", "x")\n    op.execute("")',
}


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_no_migration_builds_an_index_that_blocks_a_table_in_use(path: Path) -> None:
    if path.stem >= FIRST_CONCURRENT:
        assert faults(path.read_text()) == []


@pytest.mark.parametrize("statement", BAD.values(), ids=BAD.keys())
def test_a_blocking_index_is_found_in_the_source(statement: str) -> None:
    assert len(faults(f"def upgrade():\n    {statement}\n")) == 1


@pytest.mark.parametrize("source", [GOOD, NEW_TABLE], ids=["concurrent", "new table"])
def test_what_blocks_nobody_is_let_through(source: str) -> None:
    assert faults(source) == []


@dataclass
class Database:
    """A database of the test's own, and a folder for migrations that come after the last."""

    settings: Settings
    url: str
    folder: Path

    def add(self, number: int, body: str) -> str:
        """Write a migration whose `upgrade` is `body`; returns its revision."""
        [before] = [f"9{number - 1:03}"] if number > 1 else known_revisions()[:1]
        revision = f"9{number:03}"
        lines = "\n    ".join(body.splitlines())
        (self.folder / f"{revision}_test.py").write_text(
            "from alembic import op\n"
            "from migrations.indexes import create_index_concurrently\n"
            f"revision = {revision!r}\ndown_revision = {before!r}\n"
            f"def upgrade():\n    {lines}\n"
            "def downgrade():\n    pass\n"
        )
        return revision

    def upgrade(self) -> None:
        """Run the migrations of the tree and those that were added, with the tree's env.py."""
        with owner_engine(self.settings).connect() as connection:
            config = alembic_config(connection)
            config.set_main_option("path_separator", "newline")
            config.set_main_option("version_locations", f"{VERSIONS}\n{self.folder}")
            command.upgrade(config, "head")

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def value(self, sql: str) -> object:
        with self.connect() as connection:
            row = connection.execute(sql).fetchone()
        return row and row[0]


@pytest.fixture
def database(servers: Servers, tmp_path: Path) -> Iterator[Database]:
    name = f"migrated_{secrets.token_hex(6)}"
    url = servers.postgres.create_database(name, template=PRISTINE)
    yield Database(Settings.from_environment(servers.env | {"DATABASE_URL": url}), url, tmp_path)
    servers.postgres.drop_database(name)


def revision(database: Database) -> object:
    return database.value("SELECT version_num FROM alembic_version")


def is_valid(database: Database) -> object:
    return database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_new'::regclass")


ORGANIZATION = "INSERT INTO organizations (id, slug, name) VALUES (gen_random_uuid(), '{}', 'Same')"


def test_a_table_takes_writes_while_a_migration_builds_an_index_on_it(database: Database) -> None:
    last = database.add(1, 'create_index_concurrently("ix_new", "organizations", "name")')
    with ThreadPoolExecutor(1) as pool, database.connect() as earlier:
        earlier.execute("BEGIN")
        earlier.execute(ORGANIZATION.format("earlier"))
        upgrade = pool.submit(database.upgrade)
        _until(database, lambda state: "CREATE INDEX" in state)
        with database.connect() as writer:
            writer.execute("SET lock_timeout = '1s'")
            writer.execute(ORGANIZATION.format("meanwhile"))
        assert not upgrade.done()
        earlier.execute("COMMIT")
        upgrade.result(20)
    assert revision(database) == last
    assert is_valid(database) is True


def test_an_index_that_an_interrupted_run_left_invalid_is_built_again(database: Database) -> None:
    before = revision(database)
    last = database.add(
        1, 'create_index_concurrently("ix_new", "organizations", "name", unique=True)'
    )
    with database.connect() as connection:
        connection.execute(ORGANIZATION.format("one"))
        connection.execute(ORGANIZATION.format("two"))
        with pytest.raises(IntegrityError):
            database.upgrade()
        assert (revision(database), is_valid(database)) == (before, False)
        connection.execute("DELETE FROM organizations WHERE slug = 'two'")
    database.upgrade()
    assert (revision(database), is_valid(database)) == (last, True)


def test_an_index_that_is_there_already_is_left_as_it_is(database: Database) -> None:
    last = database.add(1, 'create_index_concurrently("ix_new", "organizations", "name")')
    with database.connect() as connection:
        connection.execute("CREATE INDEX ix_new ON organizations (name)")
    made = database.value("SELECT 'ix_new'::regclass::oid")
    database.upgrade()
    assert revision(database) == last
    assert database.value("SELECT 'ix_new'::regclass::oid") == made


def test_a_failed_migration_leaves_the_database_at_the_last_one_that_was_finished(
    database: Database,
) -> None:
    first = database.add(1, 'op.execute("CREATE TABLE finished ()")')
    database.add(2, 'op.execute("CREATE TABLE halfway ()")\nop.execute("SELECT 1 / 0")')
    with pytest.raises(DBAPIError):
        database.upgrade()
    assert revision(database) == first
    assert database.value("SELECT to_regclass('finished')") == "finished"
    assert database.value("SELECT to_regclass('halfway')") is None


def test_a_migration_that_waits_too_long_for_a_lock_gives_way(database: Database) -> None:
    """Whoever comes after it in the queue would wait as long."""
    before = revision(database)
    database.add(1, 'op.execute("ALTER TABLE organizations ADD COLUMN extra text")')
    with database.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM organizations")
        started = time.monotonic()
        with pytest.raises(DBAPIError, match="lock timeout"):
            database.upgrade()
        assert time.monotonic() - started < 10
    assert revision(database) == before


def test_a_second_run_waits_for_the_first_and_does_not_hold_up_its_indexes(
    database: Database,
) -> None:
    with ThreadPoolExecutor(1) as pool, database.connect() as first:
        first.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        second = pool.submit(migrate, database.settings)
        _until(database, lambda state: state != "None", beside=first)
        time.sleep(0.5)  # it has come, and has asked for the lock by now
        first.execute("SET lock_timeout = '5s'")
        first.execute("CREATE INDEX CONCURRENTLY ix_new ON organizations (name)")
        assert not second.done()
        first.execute("SELECT pg_advisory_unlock(%s)", (_MIGRATION_LOCK,))
        assert second.result(20) == known_revisions()[0]


def _until(
    database: Database,
    found: Callable[[str], bool],
    *,
    beside: psycopg.Connection[Any] | None = None,
) -> None:
    """Wait until some session of the database, not `beside`, runs or has run such a statement."""
    known = beside.info.backend_pid if beside is not None else 0
    sql = (
        "SELECT string_agg(query, ';') FROM pg_stat_activity"
        f" WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), {known})"
    )
    eventually(lambda: found(str(database.value(sql))))
