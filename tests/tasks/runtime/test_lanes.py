"""The next job of a lane: due the longest, the organizations in turns, nothing for two."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import redis

from models.jobs import LANES as LANE_NAMES
from tasks.runtime import lanes
from tasks.runtime.jobs import TASKS, job
from tests.conftest import OwnStack
from tests.support.jobs import ask, change, held, row
from tests.support.kinds import a_kind
from tests.support.tenants import Tenant
from webapp.services.jobs.enqueue import enqueue
from webapp.services.jobs.kinds import KINDS, LANES

OUTSIDE, SHORT, SIGNATURE, BULK = (
    LANES[name] for name in ("outside", "short", "signature", "bulk")
)
ran: list[str] = []
sent: list[str] = []


@pytest.fixture
def tenant(firms: list[Tenant]) -> Tenant:
    return firms[0]


@pytest.fixture(autouse=True)
def clean() -> None:
    ran.clear()
    sent.clear()


@job(a_kind("test.line", lane="bulk"))
def line(payload: dict[str, Any]) -> None:
    ran.append(payload["name"])
    if payload.get("fail"):
        raise ValueError("it cannot be done")
    time.sleep(payload.get("seconds", 0))


@job(a_kind("test.line_send", lane="outside"), effect=sent.append)
def line_send(payload: dict[str, Any]) -> str:
    ran.append(payload["name"])
    return str(payload["name"])


def take_all(lane: Any = BULK) -> list[str]:
    while lanes.run_next(lane):
        pass
    return ran


def test_every_kind_waits_in_a_lane_that_the_database_knows() -> None:
    assert tuple(LANES) == LANE_NAMES
    assert {kind.lane for kind in KINDS.values()} <= set(LANES)


def test_the_kinds_of_the_product_wait_where_they_cannot_hold_up_a_signature() -> None:
    in_lane = {kind.lane: set() for kind in KINDS.values()}  # type: ignore[var-annotated]
    for kind in KINDS.values():
        if not kind.name.startswith("test."):
            in_lane[kind.lane].add(kind.name)
    assert in_lane["signature"] == {"sales.fulfil_signature", "sales.fulfil_contract"}
    assert in_lane["document"] == {"sales.render_signed_document", "billing.render_document"}
    assert in_lane["webhook"] == {"webhooks.deliver"}
    with_effect = {task.kind.name for task in TASKS.values() if task.effect is not None}
    outside = in_lane["outside"] | in_lane["webhook"]
    assert with_effect <= outside | {name for name in with_effect if "test." in name}


def test_the_job_that_has_been_due_the_longest_comes_first(tenant: Tenant) -> None:
    ids = [ask(tenant, "test.line", name) for name in ("younger", "oldest", "youngest")]
    for job_id, seconds in zip(ids, (20, 30, 10), strict=True):
        change(tenant, job_id, f"run_at = now() - interval '{seconds} seconds'")
    assert take_all() == ["oldest", "younger", "youngest"]


def test_a_job_that_is_not_due_yet_is_left_alone(tenant: Tenant) -> None:
    later = ask(tenant, "test.line", "later")
    change(tenant, later, "run_at = now() + interval '1 minute'")
    ask(tenant, "test.line", "now")
    assert take_all() == ["now"]
    assert row(tenant, later)["attempts"] == 0


def test_a_lane_takes_nothing_from_another(tenant: Tenant) -> None:
    ask(tenant, "test.line", "bulk")
    assert not lanes.run_next(SIGNATURE) and not lanes.run_next(SHORT)
    assert take_all() == ["bulk"]


def test_a_lane_takes_nothing_from_another_of_the_same_organization(tenant: Tenant) -> None:
    """Both have something due, and what is due in the other one has been so for longer."""
    change(tenant, ask(tenant, "test.line_send", "letter"), "run_at = now() - interval '1 hour'")
    ask(tenant, "test.line", "bulk")
    assert lanes.run_next(BULK)
    assert (ran, sent) == (["bulk"], [])


def test_organizations_take_turns_however_much_one_of_them_asks_for(
    firms: list[Tenant],
) -> None:
    noisy, quiet, other = firms
    for n in range(20):
        ask(noisy, "test.line", f"noisy {n}")
    ask(quiet, "test.line", "quiet")
    ask(other, "test.line", "other")
    order = take_all()
    assert {"quiet", "other"} <= set(order[:3])
    assert len(order) == 22


def test_a_new_organization_is_served_after_one_job_of_the_noisy_one(
    firms: list[Tenant],
) -> None:
    noisy, quiet, _ = firms
    for n in range(20):
        ask(noisy, "test.line", f"noisy {n}")
    for _ in range(3):
        lanes.run_next(BULK)
    ask(quiet, "test.line", "quiet")
    lanes.run_next(BULK)
    assert ran[-1] == "quiet"


def test_whoever_waits_in_backoff_does_not_cost_the_others_their_turn(
    firms: list[Tenant],
) -> None:
    down, busy, other = firms
    for n in range(5):
        change(down, ask(down, "test.line", f"down {n}"), "run_at = now() + interval '5 minutes'")
    ask(busy, "test.line", "busy")
    ask(other, "test.line", "other")
    assert sorted(take_all()) == ["busy", "other"]


def test_a_claimed_job_is_not_taken_twice_and_is_due_again_soon(tenant: Tenant) -> None:
    job_id = ask(tenant, "test.line", "one")
    claimed = lanes._claim_next(BULK)
    assert [(job.job_id, job.attempt) for job in claimed] == [(job_id, 1)]
    assert not lanes._claim_next(BULK), "another consumer would do it a second time"
    change(tenant, job_id, "run_at = run_at - interval '1500 milliseconds'")  # its process died
    again = lanes._claim_next(BULK)
    assert [(job.job_id, job.attempt) for job in again] == [(job_id, 2)]


def test_a_job_that_somebody_holds_is_passed_by(tenant: Tenant) -> None:
    first, free = ask(tenant, "test.line", "held"), ask(tenant, "test.line", "free")
    with held(tenant, first):
        started = time.monotonic()
        assert take_all() == ["free"]
        assert time.monotonic() - started < 1.0, "it waited for the lock"
    assert row(tenant, free)["state"] == "done"
    assert take_all() == ["free", "held"]


def test_a_job_with_an_effect_outside_is_claimed_under_a_lease(tenant: Tenant) -> None:
    job_id = ask(tenant, "test.line_send", "letter")
    claimed = lanes._claim_next(OUTSIDE)
    assert [job.fence for job in claimed] == [1]
    held = row(tenant, job_id)
    assert held["state"] == "running" and held["lease_until"] is not None


def test_jobs_with_the_same_ordering_key_keep_their_order_and_hold_up_no_others(
    tenant: Tenant,
) -> None:
    first = ask(tenant, "test.line", "first", ordering_key="k")
    ask(tenant, "test.line", "second", ordering_key="k")
    ask(tenant, "test.line", "free")
    change(tenant, first, "run_at = now() + interval '1 minute'")
    assert take_all() == ["free"]
    change(tenant, first, "run_at = now()")
    assert take_all() == ["free", "first", "second"]


def test_what_waits_for_a_failed_one_is_put_off_with_it(tenant: Tenant) -> None:
    first = ask(tenant, "test.line", "first", ordering_key="k", fail=True)
    second = ask(tenant, "test.line", "second", ordering_key="k")
    other = ask(tenant, "test.line", "other", ordering_key="l")
    assert take_all() == ["first", "other"]
    assert row(tenant, second)["run_at"] == row(tenant, first)["run_at"]
    assert row(tenant, other)["state"] == "done"


def test_what_is_asked_for_behind_one_that_waits_is_due_when_that_one_has_ended(
    tenant: Tenant,
) -> None:
    """Or thousands of mails would be looked at in vain while the mail server is away."""
    first = ask(tenant, "test.line", "first", ordering_key="k")
    change(tenant, first, "run_at = now() + interval '1 minute'")
    second = ask(tenant, "test.line", "second", ordering_key="k")
    assert row(tenant, second)["run_at"] == row(tenant, first)["run_at"]
    change(tenant, first, "run_at = now()")  # somebody has put it back, say
    assert take_all() == ["first", "second"]


def test_a_job_cannot_wait_for_others_and_for_a_time(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="not both"):
        tenant.run(
            lambda: enqueue("test.line", "x", {}, ordering_key="k", run_at=datetime.now(UTC))
        )


def test_a_job_whose_process_died_in_every_attempt_is_dead_and_the_next_is_taken(
    tenant: Tenant,
) -> None:
    poisoned = ask(tenant, "test.line", "poisoned")
    change(tenant, poisoned, "attempts = max_attempts")
    ask(tenant, "test.line", "next")
    assert take_all() == ["next"]
    assert row(tenant, poisoned)["state"] == "dead"


def test_a_kind_that_only_a_newer_version_knows_is_left_to_it(tenant: Tenant) -> None:
    unknown = ask(tenant, "test.line", "unknown")
    change(tenant, unknown, "kind = 'test.of_tomorrow'")
    ask(tenant, "test.line", "known")
    assert take_all() == ["known"]
    assert row(tenant, unknown)["state"] == "ready"


def test_a_wake_up_ends_after_a_while_and_leaves_another_for_the_rest(
    own_stack: OwnStack, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "SLICE_SECONDS", 0.05)
    now = datetime.now(UTC)  # with a time of their own they leave no wake-ups
    for name in ("a", "b", "c"):
        tenant.run(partial(enqueue, "test.line", name, {"name": name, "seconds": 0.1}, run_at=now))
    with redis.Redis.from_url(own_stack.valkey.url) as broker:
        broker.flushall()
        lanes.run_lane(BULK)
        assert len(ran) == 1
        assert broker.llen(BULK.queue) == 1
