"""Wake-ups: sent after the commit and never without one, and cheap while the broker is frozen."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import redis

from tests.conftest import OwnStack
from tests.support.tenants import Api, Tenant, eventually
from webapp.services.jobs.kinds import LANES

SHORT, SIGNATURE = LANES["short"], LANES["signature"]


@pytest.fixture
def broker(own_stack: OwnStack, own_tenant: Tenant) -> Iterator[redis.Redis]:
    """A broker whose queues nobody reads, empty."""
    with redis.Redis.from_url(own_stack.valkey.url) as client:
        client.flushall()
        yield client


def test_a_committed_request_wakes_the_lane_of_its_jobs_and_a_refused_one_does_not(
    own_tenant: Tenant, own_api: Api, broker: redis.Redis
) -> None:
    made = own_api.made("/api/engagements", {"name": "x", "status": "Closed"})
    assert broker.llen(SHORT.queue) == own_tenant.count("jobs") == 1
    time.sleep(SHORT.pause)  # within it a second one would wait, rightly sent or not
    # The name changes, and asks for its event, before the status turns out to be impossible.
    refused = own_api.put(f"/api/engagements/{made['id']}", {"name": "y", "status": "Active"})
    assert refused.status == 409
    assert broker.llen(SHORT.queue) == own_tenant.count("jobs") == 1


def test_of_many_jobs_in_a_lane_the_first_wakes_it_at_once_and_the_last_soon(
    own_stack: OwnStack, broker: redis.Redis
) -> None:
    publisher = own_stack.app.extensions["publisher"]
    for _ in range(50):
        publisher.publish(["short", "signature"])
    assert broker.llen(SHORT.queue) == 1
    # Whoever took it may have found the last job not there yet, so another one follows.
    assert eventually(lambda: broker.llen(SHORT.queue) > 1, 2.0)
    assert broker.llen(SHORT.queue) == 2
    assert 2 <= broker.llen(SIGNATURE.queue) < 10


def test_a_signature_does_not_wait_for_the_pause_of_another_lane(
    own_stack: OwnStack, broker: redis.Redis
) -> None:
    publisher = own_stack.app.extensions["publisher"]
    for _ in range(3):
        publisher.publish(["bulk", "outside", "short", "document"])
    publisher.publish(["signature"])
    assert broker.llen(SIGNATURE.queue) == 1


def test_a_frozen_broker_delays_one_request_and_not_the_next(
    own_stack: OwnStack, own_tenant: Tenant, own_api: Api, broker: redis.Redis
) -> None:
    def timed() -> float:
        time.sleep(SHORT.pause)  # or the wake-up waits, and no request for the broker
        started = time.monotonic()
        own_api.made("/api/engagements", {"name": "x"})
        return time.monotonic() - started

    timed()  # connected once
    pid = own_stack.valkey.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        first, *others = [timed() for _ in range(7)]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert first < 1.0, "half a second, and a busy machine"
    assert sorted(others)[len(others) // 2] < 0.3, others
    assert own_tenant.count("engagements") == 8
