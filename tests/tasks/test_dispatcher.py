"""One look of the dispatcher: what is due is hinted at again, and dead holders' leases end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis

from tasks.dispatcher import Dispatcher
from tests.conftest import OwnStack
from tests.support.tenants import Tenant
from webapp.services.jobs import enqueue


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
    """The broker, with nothing in its queue."""
    with redis.Redis.from_url(own_stack.valkey.url) as broker:
        broker.flushall()
        yield broker


def queue_length(own_stack: OwnStack, broker: redis.Redis) -> int:
    return int(broker.llen(own_stack.app.config["CELERY"]["task_default_queue"]))


def a_due_job(tenant: Tenant, name: str, hints: redis.Redis) -> UUID:
    """A job whose first hint was lost."""
    job_id = tenant.run(lambda: enqueue("jobs.prune", name, {}))
    hints.flushall()
    due(tenant, job_id)
    return job_id


def due(tenant: Tenant, job_id: UUID) -> None:
    tenant.rows("UPDATE jobs SET publish_after = now() WHERE id = %(id)s RETURNING id", id=job_id)


def waits_for_the_next_hint(tenant: Tenant, job_id: UUID) -> bool:
    [row] = tenant.rows(
        "SELECT publish_after > clock_timestamp() AS later FROM jobs WHERE id = %(id)s", id=job_id
    )
    return bool(row["later"])


def test_a_job_whose_hint_was_lost_is_hinted_at_again_and_not_twice(
    own_stack: OwnStack, tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis
) -> None:
    job_id = a_due_job(tenant, "lost", hints)
    dispatcher.step()
    assert queue_length(own_stack, hints) == 1
    assert waits_for_the_next_hint(tenant, job_id)
    dispatcher.step()
    assert queue_length(own_stack, hints) == 1


def test_a_job_that_somebody_holds_does_not_hold_up_the_others(
    own_stack: OwnStack, tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis
) -> None:
    held, free = (a_due_job(tenant, name, hints) for name in ("held", "free"))
    url = own_stack.app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as worker:
        worker.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        worker.execute("SELECT id FROM jobs WHERE id = %s FOR UPDATE", (held,))
        started = time.monotonic()
        dispatcher.step()
        assert time.monotonic() - started < 1.0, "it waited for the lock"
        assert queue_length(own_stack, hints) == 1
    assert waits_for_the_next_hint(tenant, free)
    assert not waits_for_the_next_hint(tenant, held)


@pytest.mark.parametrize(("attempts", "state"), [(1, "ready"), (8, "dead")])
def test_the_job_of_a_holder_that_died_is_taken_from_it(
    own_stack: OwnStack, tenant: Tenant, dispatcher: Dispatcher, hints: redis.Redis,
    attempts: int, state: str,
) -> None:  # fmt: skip
    ended, kept = (a_due_job(tenant, name, hints) for name in ("ended", "kept"))
    for job_id, seconds in ((ended, -1), (kept, 60)):
        tenant.rows(
            "UPDATE jobs SET state = 'running', attempts = %(attempts)s,"
            " lease_until = now() + make_interval(secs => %(seconds)s)"
            " WHERE id = %(id)s RETURNING id",
            id=job_id, attempts=attempts, seconds=seconds,
        )  # fmt: skip
    dispatcher.step()

    def row(job_id: UUID) -> Any:
        [found] = tenant.rows("SELECT state FROM jobs WHERE id = %(id)s", id=job_id)
        return found["state"]

    assert (row(ended), row(kept)) == (state, "running")
    assert queue_length(own_stack, hints) == (1 if state == "ready" else 0)
