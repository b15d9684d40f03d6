"""Which faults a run has, in which order, and what is postponed."""

from __future__ import annotations

import random
from typing import cast

import pytest

from tests.chaos.arena import Arena
from tests.chaos.faults import FAULTS, Fault, bag, take
from tests.chaos.plan import Plan
from tests.chaos.smtp import AWAY

pytestmark = pytest.mark.drill

NOBODY = cast(Arena, None)  # the faults of these tests do not look at it


def test_a_long_run_has_every_fault() -> None:
    names = [fault.name for fault in bag(Plan(20, 1), random.Random(1))]
    assert sorted(names) == sorted(fault.name for fault in FAULTS)


def test_what_lasts_while_others_are_injected_begins_first() -> None:
    names = [fault.name for fault in bag(Plan(20, 1), random.Random(1))]
    assert {*names[-3:]} == {f"mail server {mode}" for mode in AWAY}


def test_a_short_run_has_a_burst_and_a_noisy_organization_after_its_storm() -> None:
    names = [fault.name for fault in bag(Plan(3, 1), random.Random(1))]
    assert names[-2:] == ["noisy organization", "burst, Valkey SIGKILL"]
    assert "web SIGKILL" not in names, "the storm does that"
    assert "mail server dead" not in names, "so it does this"


def test_a_fault_that_is_not_ready_lets_the_others_go_first() -> None:
    may = False
    first = Fault("first", lambda _: None)
    later = Fault("later", lambda _: None, ready=lambda _: may)
    faults = [first, later]
    assert take(faults, NOBODY) is first
    assert take(faults, NOBODY) is None
    may = True
    assert take(faults, NOBODY) is later
    assert faults == []


def test_a_run_of_twenty_minutes_has_what_was_promised() -> None:
    plan = Plan(20, 1)
    assert plan.burst == (1500, 60.0)
    assert plan.mail_seconds("dead") == 300.0
    assert 60 <= plan.mail_seconds("slow") == plan.mail_seconds("hanging") <= 90
    assert (plan.bounds.p99, plan.bounds.worst, plan.bounds.overtaken) == (15.0, 30.0, 30.0)
