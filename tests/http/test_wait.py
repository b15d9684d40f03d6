"""Waiting for a job: its end is told, and looked for where nobody tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from models.db.tenancy import ShownCredential, TenantContext, in_context
from tests.support.tenants import Api, Tenant, eventually
from webapp.core import job_ends
from webapp.core.job_ends import JobEnds
from webapp.http import wait
from webapp.services.common import secrets


def signed(tenant: Tenant, api: Api) -> UUID:
    """The job of a signature that nobody has carried out yet."""
    proposal = api.send_proposal()
    accepted = api.sign(proposal, client=api, Prefer="respond-async")
    return UUID(accepted.json["job"]["id"])


def waiting(app: Flask, tenant: Tenant, job_id: UUID, seconds: float) -> Callable[[], Any]:
    def wait_for_it() -> tuple[bool, float]:
        shown = ShownCredential("api_key", secrets.digest(tenant.api_key), lambda _: None)
        with app.app_context(), in_context(TenantContext(shown)):
            begin = time.monotonic()
            return wait.done_within(job_id, seconds), time.monotonic() - begin

    return wait_for_it


def listens(app: Flask) -> bool:
    ends: JobEnds = app.extensions["job_ends"]
    return ends.is_listening


def test_whoever_waits_is_told_of_the_end_and_does_not_look_for_it(
    app: Flask, tenant: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = signed(tenant, api)
    monkeypatch.setattr(wait, "FIRST_PAUSE", 20.0)
    monkeypatch.setattr(wait, "TOLD_PAUSE", 20.0)
    monkeypatch.setattr(wait, "LONGEST_PAUSE", 20.0)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(waiting(app, tenant, job_id, 25))
        eventually(lambda: listens(app))
        tenant.run_jobs("sales.fulfil_signature")
        done, seconds = waits.result(10)
    assert done and seconds < 10


def test_whoever_is_told_nothing_looks_by_themselves(
    app: Flask, tenant: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler that hands the connection on after each statement."""
    monkeypatch.setattr(JobEnds, "_tell", lambda *_: None)
    job_id = signed(tenant, api)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(waiting(app, tenant, job_id, 15))
        time.sleep(0.2)
        tenant.run_jobs("sales.fulfil_signature")
        done, seconds = waits.result(20)
    assert done and seconds < 5


def test_a_job_that_ended_before_anybody_waited_is_seen_at_once(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    job_id = signed(tenant, api)
    tenant.run_jobs("sales.fulfil_signature")
    done, seconds = waiting(app, tenant, job_id, 5)()
    assert done and seconds < 1


def test_a_wait_is_over_when_its_time_is(app: Flask, tenant: Tenant, api: Api) -> None:
    job_id = signed(tenant, api)
    done, seconds = waiting(app, tenant, job_id, 0.4)()
    assert not done and seconds < 2


def test_nobody_listens_when_nobody_has_waited_for_a_while(
    app: Flask, tenant: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_ends, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(job_ends, "_LOOK_SECONDS", 0.1)
    ends = JobEnds(app)
    with ends.watched(signed(tenant, api)):
        eventually(lambda: ends.is_listening)
    mine = ends._listener
    assert isinstance(mine, threading.Thread)
    mine.join(5)
    assert not mine.is_alive() and not ends.is_listening


def test_a_replayed_signature_is_answered_with_what_it_became(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    proposal = api.send_proposal()
    key = {"Idempotency-Key": "once", "Prefer": "respond-async"}
    first = api.sign(proposal, client=api, **key)
    assert first.status == 202
    assert api.sign(proposal, client=api, **key).status == 202, "it is not carried out yet"
    tenant.run_jobs("sales.fulfil_signature")
    again = api.sign(proposal, client=api, **key)
    assert again.status == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["engagement"]["id"]
    assert tenant.count("engagements") == 1
