"""Rows that somebody else holds are passed by, not waited for; overtaken holders are refused.

A worker that waited behind another's lock would stand still for as long as that one works.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from tasks.runtime import jobs as base
from tests.support.kinds import a_kind
from tests.support.tenants import Tenant
from webapp.services.jobs import operations as jobs
from webapp.services.jobs.enqueue import enqueue

# What passes a lock by takes some milliseconds; what waits for it takes the lock timeout (2 s).
AT_ONCE = 1.0
effects: list[str] = []
sent: list[str] = []


@base.job(a_kind("test.contend"))
def contend(payload: dict[str, Any]) -> None:
    effects.append(payload["name"])


@base.job(a_kind("test.contend_send"), effect=sent.append)
def contend_send(payload: dict[str, Any]) -> str:
    return str(payload["name"])


@pytest.fixture(autouse=True)
def clean(app: Flask) -> Iterator[None]:
    effects.clear()
    sent.clear()
    with app.app_context():
        yield


def make(tenant: Tenant, kind: str, name: str) -> UUID:
    return tenant.run(lambda: enqueue(kind, name, {"name": name}))


def state_of(tenant: Tenant, job_id: UUID) -> dict[str, Any]:
    [row] = tenant.rows("SELECT state, last_error FROM jobs WHERE id = %(id)s", id=job_id)
    return row


def change(tenant: Tenant, statement: str, **values: Any) -> None:
    tenant.run(lambda: db.session.execute(text(statement), values))


@contextmanager
def held(tenant: Tenant, job_id: UUID) -> Iterator[None]:
    """Another transaction holds the job's row meanwhile."""
    locked, release = Event(), Event()

    def hold() -> None:
        db.session.execute(text("SELECT id FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id})
        locked.set()
        release.wait(10)

    with ThreadPoolExecutor(1) as other:
        holder = other.submit(tenant.run, hold)
        assert locked.wait(5)
        try:
            yield
        finally:
            release.set()
            holder.result(10)


@contextmanager
def at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < AT_ONCE, "it waited for the lock"


def test_a_message_for_a_job_that_somebody_holds_is_let_go(tenant: Tenant) -> None:
    job_id = make(tenant, "test.contend", "one")
    with held(tenant, job_id), at_once():
        base.run_job("test.contend", tenant.id, job_id)
    assert effects == []
    assert tenant.count("job_attempts") == 0


def test_a_claimed_job_that_somebody_holds_is_left_for_the_next_hint(tenant: Tenant) -> None:
    job_id = make(tenant, "test.contend", "one")
    claim = base._claim(tenant.id, job_id, None)
    run = base._Attempt(base.TASKS["test.contend"], tenant.id, job_id, claim.attempt, claim.fence)
    with held(tenant, job_id), at_once():
        assert run.run(claim.payload) is False
    assert effects == []
    assert run.run(claim.payload) is True


def test_a_holder_from_before_a_retry_cannot_end_the_job_of_the_same_attempt_number(
    tenant: Tenant,
) -> None:
    """A retry counts the attempts from one again; the fence is what tells the two apart."""
    job_id = make(tenant, "test.contend_send", "letter")
    zombie = base._claim(tenant.id, job_id, 60)
    change(
        tenant,
        "UPDATE jobs SET state = 'dead', lease_until = NULL, finished_at = now() WHERE id = :id",
        id=job_id,
    )
    tenant.run(lambda: jobs.retry_job(job_id))
    second = base._claim(tenant.id, job_id, 60)
    assert (second.attempt, second.fence) == (zombie.attempt, zombie.fence + 1)
    kind = base.TASKS["test.contend_send"]
    late = base._Attempt(kind, tenant.id, job_id, zombie.attempt, zombie.fence)
    late.record_failure(RuntimeError("too late to matter"), zombie.payload)
    assert late.run(zombie.payload) is False
    assert state_of(tenant, job_id) == {"state": "running", "last_error": None}
    base._Attempt(kind, tenant.id, job_id, second.attempt, second.fence).run(second.payload)
    assert state_of(tenant, job_id) == {"state": "done", "last_error": None}
