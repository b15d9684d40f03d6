"""Processes killed, brokers gone: nothing acknowledged is lost, nothing happens twice.

Every process is a child of the test and killed by its own pid (faults.md).
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import redis
import requests

from tests.conftest import Live, OwnStack
from tests.support.faults import children_of, hold_order_numbers, stopped_in_the_middle
from tests.support.oracle import assert_fulfilled_once
from tests.support.tenants import eventually

pytestmark = pytest.mark.long


def test_a_worker_child_killed_in_the_middle_of_fulfilment_leaves_one_effect(
    own_stack: OwnStack,
) -> None:
    own_stack.stack.start()
    live = own_stack.live()
    proposal = live.send_proposal()
    with hold_order_numbers(live.tenant) as holder:
        assert live.api.sign(proposal, client=live.client).status == 202
        eventually(lambda: stopped_in_the_middle(live.tenant))
        for child in children_of(own_stack.stack.running["worker"].pid):
            os.kill(child, signal.SIGKILL)
        holder.rollback()
    assert_fulfilled_once(live.tenant)
    [attempts] = live.tenant.rows(
        "SELECT attempts FROM jobs WHERE kind = 'sales.fulfil_signature'"
        " AND organization_id = %(organization_id)s"
    )
    assert attempts["attempts"] >= 2


def test_a_whole_worker_killed_in_the_middle_of_fulfilment_leaves_one_effect(
    own_stack: OwnStack,
) -> None:
    own_stack.stack.start()
    live = own_stack.live()
    proposal = live.send_proposal()
    with hold_order_numbers(live.tenant) as holder:
        live.api.sign(proposal, client=live.client)
        eventually(lambda: stopped_in_the_middle(live.tenant))
        own_stack.stack.kill("worker")
        holder.rollback()
    own_stack.stack.start("worker")
    assert_fulfilled_once(live.tenant, seconds=20)


def test_a_broker_that_forgets_everything_under_load_loses_nothing(own_stack: OwnStack) -> None:
    own_stack.stack.start()
    live = own_stack.live()
    broker = redis.Redis.from_url(own_stack.valkey.url)
    proposals = [live.send_proposal() for _ in range(12)]
    with ThreadPoolExecutor(4) as pool:
        answers = []
        for number, proposal in enumerate(proposals):
            answers.append(pool.submit(live.api.sign, proposal, client=live.client))
            if number % 2:
                broker.flushall()
        assert {answer.result().status for answer in answers} <= {200, 202}
    broker.flushall()
    broker.close()
    assert_fulfilled_once(live.tenant, signatures=12, seconds=30)


def test_signing_completes_while_the_broker_is_dead(own_stack: OwnStack) -> None:
    own_stack.stack.start()
    live = own_stack.live()
    proposal = live.send_proposal()
    own_stack.valkey.stop()
    assert live.api.sign(proposal, client=live.client).status == 202
    assert_fulfilled_once(live.tenant, seconds=30)
    ready = requests.get(f"{live.base_url}/readyz", timeout=5)
    assert ready.status_code == 200
    assert ready.json()["checks"]["broker"].startswith("unreachable")


def test_workers_take_up_their_work_when_the_broker_returns(own_stack: OwnStack) -> None:
    own_stack.stack.start("worker", "web")
    live = own_stack.live()
    own_stack.valkey.stop()
    live.send_proposal()
    own_stack.valkey.start()
    own_stack.stack.start("dispatcher")
    eventually(lambda: live.tenant.count("jobs", "state <> 'done'") == 0, 30)
    assert "job_done" in own_stack.stack.log("worker")
    assert "run_without_broker" not in own_stack.stack.log("dispatcher")


def test_workers_come_back_when_every_acknowledgement_failed(own_stack: OwnStack) -> None:
    """The broker goes while all that a worker may hold is being worked on."""
    own_stack.stack.start("worker", "web")
    live = own_stack.live()
    proposals = [live.send_proposal() for _ in range(2)]
    eventually(lambda: live.tenant.count("jobs", "state <> 'done'") == 0)
    with hold_order_numbers(live.tenant) as holder:
        for number, proposal in enumerate(proposals, start=1):
            live.api.sign(proposal, client=live.client)
            # Each in a process of its own, not both in one transaction.
            eventually(partial(stopped_in_the_middle, live.tenant), until=number)
        own_stack.valkey.stop()
        holder.rollback()
    eventually(lambda: has_missed_its_broker(own_stack.stack.log("worker")))
    own_stack.valkey.start()
    own_stack.stack.start("dispatcher")
    assert_fulfilled_once(live.tenant, signatures=2)
    assert "run_without_broker" not in own_stack.stack.log("dispatcher")


def has_missed_its_broker(log: str) -> bool:
    return log.count("Couldn't ack") == 2 or "Connection to broker lost" in log


def test_a_web_killed_between_commit_and_publish_has_lost_nothing(own_stack: OwnStack) -> None:
    """A frozen broker holds the web in the publish, after the commit; there it is killed."""
    own_stack.stack.start()
    live = own_stack.live()
    proposal = live.send_proposal()
    eventually(lambda: live.tenant.count("jobs", "state <> 'done'") == 0)
    assert own_stack.valkey.pid is not None
    os.kill(own_stack.valkey.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            signing = pool.submit(sign_expecting_the_end, live, proposal)
            eventually(lambda: live.tenant.count("signatures") == 1, pause=0.005)
            own_stack.stack.kill("web")
            signing.result()
    finally:
        os.kill(own_stack.valkey.pid, signal.SIGCONT)
    own_stack.stack.start("web")
    again = live.api.sign(proposal, client=live.client, Idempotency_Key="mine", Prefer="wait=20")
    assert again.status == 200, again.text
    assert_fulfilled_once(live.tenant)


def sign_expecting_the_end(live: Live, proposal: dict[str, Any]) -> None:
    try:
        live.api.sign(proposal, client=live.client, Idempotency_Key="mine")
    except requests.RequestException:
        return
