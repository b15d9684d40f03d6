"""Whether a process says it is ready, against a real database at other revisions."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import OwnStack
from tests.support.tenants import Answer, Api


@pytest.fixture
def owner(own_stack: OwnStack) -> Iterator[psycopg.Connection]:
    """The owner of a database of the test's own."""
    url = own_stack.app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


def ready(own_stack: OwnStack) -> Answer:
    return Api(app=own_stack.app).get("/readyz")


def test_a_process_whose_database_is_at_its_own_revision_is_ready(own_stack: OwnStack) -> None:
    answer = ready(own_stack)
    assert (answer.status, answer.json["checks"]["migrations"]) == (200, "ok")


def test_a_process_whose_database_is_newer_is_ready(
    own_stack: OwnStack, owner: psycopg.Connection
) -> None:
    """In a rolling upgrade the database is migrated first, while the old processes work on."""
    owner.execute("UPDATE alembic_version SET version_num = 'of_tomorrow'")
    answer = ready(own_stack)
    assert answer.status == 200
    assert answer.json["status"] == "ready"
    assert answer.json["checks"]["migrations"] == "at of_tomorrow, newer than this process"


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '0001'",
                                    "DELETE FROM alembic_version"])  # fmt: skip
def test_a_process_whose_database_is_older_is_not_ready_and_says_what_to_do(
    own_stack: OwnStack, owner: psycopg.Connection, change: str
) -> None:
    owner.execute(change)
    answer = ready(own_stack)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.json["checks"]["database"] == "ok"
    assert "run `sx migrate`" in answer.json["checks"]["migrations"]


def test_a_process_whose_database_was_never_migrated_is_told_so(
    own_stack: OwnStack, owner: psycopg.Connection
) -> None:
    owner.execute("DROP TABLE alembic_version")
    answer = ready(own_stack)
    assert answer.status == 503
    assert answer.json["checks"]["database"] == "ok"
    assert "run `sx migrate`" in answer.json["checks"]["migrations"]
