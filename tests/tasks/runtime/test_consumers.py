"""The worker's processes: each lane has its own, and one that ends is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import OwnStack
from tests.support.faults import children_of, hold_order_numbers, stopped_in_the_middle
from tests.support.tenants import eventually
from webapp.cli.main import main
from webapp.services.jobs.kinds import LANES

WANTED = sum(lane.consumers for lane in LANES.values())

TOO_LONG = """
import signal, sys, time
from tasks.runtime import consumers
consumers.SOFT_SECONDS, consumers.HARD_SECONDS = {soft}, {hard}
if {deaf}:
    consumers._interrupt = lambda *_: None
consumers._begin_limit()
try:
    time.sleep(5)
except consumers.TookTooLong:
    sys.exit(7)
"""


def names_of(pids: list[int]) -> list[str]:
    """What the processes call themselves, in order."""
    return sorted(Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids)


def a_worker(own_stack: OwnStack) -> tuple[int, list[int]]:
    """A running worker, and its consumers once they all are there."""
    own_stack.stack.start("worker")
    pid = own_stack.stack.running["worker"].pid
    eventually(lambda: len(children_of(pid)) == WANTED, 20)
    return pid, children_of(pid)


def test_every_lane_has_consumers_of_its_own_that_yield_to_those_above(
    own_stack: OwnStack,
) -> None:
    _, consumers = a_worker(own_stack)
    wanted = sorted(
        f"sx {lane.name}"[:15] for lane in LANES.values() for _ in range(lane.consumers)
    )
    eventually(lambda: names_of(consumers), until=wanted)
    niceness = {names_of([pid])[0]: os.getpriority(os.PRIO_PROCESS, pid) for pid in consumers}
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness == {f"sx {lane.name}": own + lane.niceness for lane in LANES.values()}


def test_a_consumer_that_is_killed_is_replaced_and_the_others_live_on(
    own_stack: OwnStack,
) -> None:
    worker, before = a_worker(own_stack)
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: before[0] not in children_of(worker) and len(children_of(worker)) == WANTED)
    assert set(before[1:]) <= set(children_of(worker))


def test_a_worker_that_is_told_to_end_lets_the_job_at_hand_end(own_stack: OwnStack) -> None:
    own_stack.stack.start()
    live = own_stack.live()
    proposal = live.send_proposal()
    with hold_order_numbers(live.tenant) as holder:
        live.api.sign(proposal, client=live.client)
        eventually(lambda: stopped_in_the_middle(live.tenant))
        own_stack.stack.kill("worker", signal.SIGTERM)
        holder.rollback()
    assert own_stack.stack.running["worker"].wait(20) == 0
    assert live.tenant.count("orders") == 1
    assert live.tenant.count("job_attempts", "outcome IS NULL") == 0


def test_the_consumers_end_with_the_worker_that_made_them(own_stack: OwnStack) -> None:
    worker, consumers = a_worker(own_stack)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: [pid for pid in consumers if Path(f"/proc/{pid}").exists()], until=[])


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"soft": 0.2, "hard": 5, "deaf": False}, 7),  # interrupted, and recorded as a failure
        ({"soft": 0.2, "hard": 0.5, "deaf": True}, 1),  # ended with its process
    ],
)
def test_a_job_that_takes_too_long_is_ended(limits: dict[str, object], status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOO_LONG.format(**limits)], capture_output=True, timeout=30
    )
    assert done.returncode == status, done.stderr
    assert (b"Timeout" in done.stderr) == (status == 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("outsid=2", "no lane 'outsid'"),
        ("outside=many", "a whole number from 0 to 64"),
        ("outside=65", "a whole number from 0 to 64"),
        ("signature=0 short=0 document=0 outside=0 webhook=0 bulk=0", "nothing to do"),
    ],
)
def test_a_wrong_number_of_consumers_is_named(given: str, said: str) -> None:
    done = CliRunner(env={"WORKER_CONSUMERS": given}).invoke(main, ["worker"])
    assert done.exit_code == 2
    assert said in done.output


def test_a_lane_may_be_left_to_other_machines(own_stack: OwnStack) -> None:
    wanted = "signature=1 short=0 document=0 outside=1 webhook=0 bulk=0"
    own_stack.stack.env["WORKER_CONSUMERS"] = wanted
    own_stack.stack.start("worker")
    pid = own_stack.stack.running["worker"].pid
    eventually(
        lambda: children_of(pid) and names_of(children_of(pid)),
        20,
        until=["sx outside", "sx signature"],
    )
