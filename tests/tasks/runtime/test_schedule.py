"""Beat: one run for each slot, however many beats run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from models.db.base import db
from tasks.runtime.dispatcher import dispatcher_engine
from tasks.runtime.jobs import TASKS
from tasks.runtime.schedule import ENTRIES, EVERYBODY, Entry, open_slot
from tests.support.kinds import a_kind
from tests.support.tenants import Api, Tenant
from webapp.services.jobs.kinds import KINDS


@pytest.fixture
def engine(app: Flask) -> Iterator[Engine]:
    made = dispatcher_engine(app.config["SETTINGS"])
    yield made
    made.dispose()


def test_every_kind_of_job_has_a_body_and_every_entry_of_beat_a_kind() -> None:
    real = [name for name in KINDS if not name.startswith("test.")]  # other tests have their own
    assert set(real) <= set(TASKS) <= set(KINDS)
    assert {entry.kind for entry in ENTRIES} <= set(KINDS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.kind)
def test_beat_may_ask_whose_work_of_each_kind_is_due(engine: Engine, entry: Entry) -> None:
    with engine.begin() as connection:
        connection.execute(text(entry.due)).all()


def test_many_beats_open_a_slot_once(engine: Engine, tenant: Tenant) -> None:
    entry = Entry(a_kind(f"test.beat_{tenant.slug[-8:]}"), 3600, EVERYBODY)

    def beat() -> bool:
        own = engine.execution_options()
        with own.begin() as connection:
            return open_slot(connection, entry) is not None

    with ThreadPoolExecutor(2) as pool:
        opened = [future.result() for future in [pool.submit(beat) for _ in range(12)]]
    assert opened.count(True) == 1
    assert tenant.count("jobs", "kind = %(kind)s", kind=entry.kind) == 1


def test_expiring_is_asked_only_where_something_has_expired(engine: Engine, tenant: Tenant) -> None:
    [entry] = [entry for entry in ENTRIES if entry.kind == "sales.expire_proposals"]
    with engine.begin() as connection:
        found = set(connection.scalars(text(entry.due)))
    assert tenant.id not in found


def test_a_trashed_proposal_that_is_past_its_time_asks_for_no_job(
    engine: Engine, tenant: Tenant, api: Api
) -> None:
    [entry] = [entry for entry in ENTRIES if entry.kind == "sales.expire_proposals"]
    proposal = api.send_proposal(valid_until=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE proposals SET valid_until = now() - interval '1 second'")
        )
    )

    def due() -> bool:
        with engine.begin() as connection:
            return tenant.id in set(connection.scalars(text(entry.due)))

    assert due()
    assert api.delete(f"/api/proposals/{proposal['id']}").status == 204
    assert not due()
