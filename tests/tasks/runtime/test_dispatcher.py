"""One look of the dispatcher: lanes with due jobs are woken, and dead holders' leases end."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis

from models.db.base import db
from tasks.runtime.dispatcher import BROKER_GONE_SECONDS, LOST_SECONDS, Dispatcher
from tasks.runtime.jobs import job
from tests.conftest import OwnStack, Servers
from tests.support.kinds import a_kind
from tests.support.tenants import Tenant, eventually
from webapp import create_app
from webapp.config import Settings
from webapp.core.database import migrate
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.services.jobs.enqueue import enqueue
from webapp.services.jobs.kinds import LANES

BULK, SIGNATURE = LANES["bulk"], LANES["signature"]


@job(a_kind("test.signs"))
def signs(payload: dict[str, Any]) -> None:
    """A signature comes while another job is run."""
    a_signatures_job()


@pytest.fixture
def tenant(own_stack: OwnStack) -> Tenant:
    """A tenant on a database and a broker of its own: the dispatcher looks at all there is."""
    return Tenant.create(own_stack.app)


@pytest.fixture
def dispatcher(own_stack: OwnStack) -> Iterator[Dispatcher]:
    made = Dispatcher(own_stack.app)
    yield made
    made._engine.dispose()
    made._broker.close()


@pytest.fixture
def hints(own_stack: OwnStack, tenant: Tenant) -> Iterator[redis.Redis]:
    """The broker, with nothing in its queues."""
    with redis.Redis.from_url(own_stack.valkey.url) as broker:
        broker.flushall()
        yield broker


def wake_ups(broker: redis.Redis) -> dict[str, int]:
    """The lanes that are woken, and how often."""
    lengths = {lane.name: int(broker.llen(lane.queue)) for lane in LANES.values()}
    return {name: length for name, length in lengths.items() if length}


def due_jobs(tenant: Tenant, *names: str) -> None:
    """Jobs that have been due for as long as nobody is patient; their wake-ups were lost."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LOST_SECONDS + 0.1)
    for name in names:
        tenant.run(partial(enqueue, "jobs.prune", name, {}, run_at=since))


def a_signatures_job() -> UUID:
    """The job of a signature, due for longer than it should be; its wake-up was lost."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LOST_SECONDS + 0.1)
    signature_id = uuid4()
    payload = {"signature_id": str(signature_id)}
    return enqueue("sales.fulfil_signature", signature_id, payload, run_at=since)


def test_a_job_whose_wake_up_was_lost_is_not_forgotten(
    tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis
) -> None:
    due_jobs(tenant, "lost")
    dispatcher.step()
    assert wake_ups(hints) == {"bulk": 1}
    dispatcher.step()
    assert wake_ups(hints) == {"bulk": 1}, "one is enough until it is taken"
    hints.flushall()
    dispatcher.step()
    assert wake_ups(hints) == {"bulk": 1}


def test_a_job_that_has_just_been_asked_for_is_left_to_its_own_wake_up(
    tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis
) -> None:
    tenant.run(partial(enqueue, "jobs.prune", "young", {}, run_at=dt.datetime.now(dt.UTC)))
    dispatcher.step()
    assert wake_ups(hints) == {}


@pytest.mark.parametrize(
    ("attempts", "excused", "state"), [(1, 0, "ready"), (8, 0, "dead"), (12, 5, "ready")]
)
def test_the_job_of_a_holder_that_died_is_taken_from_it(
    tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis,
    attempts: int, excused: int, state: str,
) -> None:  # fmt: skip
    ended, kept = (tenant.run(partial(enqueue, "jobs.prune", n, {})) for n in ("ended", "kept"))
    for job_id, seconds in ((ended, -1), (kept, 60)):
        tenant.rows(
            "UPDATE jobs SET state = 'running', attempts = %(attempts)s, excused = %(excused)s,"
            " lease_until = now() + make_interval(secs => %(seconds)s)"
            " WHERE id = %(id)s RETURNING id",
            id=job_id, attempts=attempts, excused=excused, seconds=seconds,
        )  # fmt: skip
    dispatcher.step()

    def state_of(job_id: UUID) -> Any:
        [found] = tenant.rows("SELECT state FROM jobs WHERE id = %(id)s", id=job_id)
        return found["state"]

    assert (state_of(ended), state_of(kept)) == (state, "running")


def test_every_lane_is_woken_however_many_wake_ups_wait_in_another(
    tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis
) -> None:
    due_jobs(tenant, *(f"job {n}" for n in range(BULK.wake_ups + 5)))
    for _ in range(3):
        dispatcher.step()
    assert wake_ups(hints) == {"bulk": BULK.wake_ups}
    tenant.run(a_signatures_job)
    dispatcher.step()
    assert wake_ups(hints) == {"signature": 1, "bulk": BULK.wake_ups}


def kinds_tried(tenant: Tenant) -> list[str]:
    rows = tenant.rows(
        "SELECT j.kind FROM job_attempts a JOIN jobs j ON j.organization_id = a.organization_id"
        " AND j.id = a.job_id WHERE a.organization_id = %(organization_id)s ORDER BY a.started_at"
    )
    return [row["kind"] for row in rows]


@pytest.fixture
def without_broker(own_stack: OwnStack, tenant: Tenant, dispatcher: Dispatcher) -> Dispatcher:
    """A dispatcher whose patience with the broker is at an end."""
    own_stack.valkey.stop()
    dispatcher._broker_gone_at = time.monotonic() - BROKER_GONE_SECONDS
    return dispatcher


def test_without_the_broker_a_signature_is_run_before_what_was_due_earlier(
    tenant: Tenant, without_broker: Dispatcher
) -> None:
    due_jobs(tenant, "one", "two", "three")
    tenant.run(a_signatures_job)
    without_broker.step()
    assert kinds_tried(tenant) == ["sales.fulfil_signature", *["jobs.prune"] * 3]


def test_without_the_broker_a_signature_waits_for_the_one_job_that_is_run(
    tenant: Tenant, without_broker: Dispatcher
) -> None:
    tenant.run(lambda: enqueue("test.signs", "first", {}))
    due_jobs(tenant, "one", "two", "three")
    without_broker.step()
    assert kinds_tried(tenant)[:2] == ["test.signs", "sales.fulfil_signature"]
    assert len(kinds_tried(tenant)) == 5


def test_it_goes_on_through_an_outage_of_the_database_while_the_broker_is_gone(
    servers: Servers, tmp_path: Path
) -> None:
    """The database goes between the look at what is due and the claim, and comes back."""
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        env = servers.env | {"DATABASE_URL": postgres.owner_url, "REDIS_URL": "redis://127.0.0.1:1"}
        settings = Settings.from_environment(env)
        migrate(settings)
        app = create_app(settings)
        tenant = Tenant.create(app)
        due_jobs(tenant, "one")
        alone = Dispatcher(app)
        alone._broker_gone_at = time.monotonic() - BROKER_GONE_SECONDS
        look = alone._due
        outages = []

        def look_before_the_outage() -> dict[str, int]:
            found = look()
            if any(found.values()) and not outages:
                outages.append(time.monotonic())
                postgres.stop()
            return found

        def state() -> str:
            [row] = tenant.rows(
                "SELECT state FROM jobs WHERE organization_id = %(organization_id)s"
            )
            return str(row["state"])

        def end_the_outage() -> str:
            eventually(lambda: outages)
            time.sleep(1.5)  # it meets the outage more than once
            postgres.start()
            try:
                return eventually(state, 30, until="done")
            finally:
                alone._stop.set()

        alone._due = look_before_the_outage  # type: ignore[method-assign]
        with ThreadPoolExecutor(1) as pool:
            ended = pool.submit(end_the_outage)
            alone.run()
            assert ended.result(40) == "done"
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
