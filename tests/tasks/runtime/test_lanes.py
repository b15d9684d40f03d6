"""The next job of a lane: due the longest, the organizations in turns, nothing for two."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import redis
from sqlalchemy import text

from models.db.base import db
from models.jobs import LANES as LANE_NAMES
from tasks.runtime import lanes
from tasks.runtime.jobs import TASKS, JobRow, batch_job, job
from tests.conftest import OwnStack
from tests.support.kinds import a_kind
from tests.support.tenants import Tenant
from webapp.services.jobs.enqueue import enqueue
from webapp.services.jobs.kinds import KINDS, LANES

OUTSIDE, SHORT, SIGNATURE, BULK = (
    LANES[name] for name in ("outside", "short", "signature", "bulk")
)
ran: list[str] = []
sent: list[str] = []


@job(a_kind("test.line", lane="bulk"))
def line(payload: dict[str, Any]) -> None:
    ran.append(payload["name"])
    if payload.get("fail"):
        raise ValueError("it cannot be done")
    time.sleep(payload.get("seconds", 0))


@batch_job(a_kind("test.line_batch", batch=10, lane="bulk"))
def line_batch(rows: list[JobRow]) -> None:
    ran.append("+".join(row.payload["name"] for row in rows))


@job(a_kind("test.line_send", lane="outside"), effect=sent.append)
def line_send(payload: dict[str, Any]) -> str:
    ran.append(payload["name"])
    return str(payload["name"])


@pytest.fixture
def tenants(own_stack: OwnStack) -> Iterator[list[Tenant]]:
    """Three organizations on a database of their own, as a lane goes over all there are."""
    made = [Tenant.create(own_stack.app, f"Firm {n}") for n in range(3)]
    made.sort(key=lambda tenant: tenant.id)
    ran.clear()
    sent.clear()
    lanes._served.clear()
    with own_stack.app.app_context():
        yield made


@pytest.fixture
def tenant(tenants: list[Tenant]) -> Tenant:
    return tenants[0]


def ask(tenant: Tenant, name: str, kind: str = "test.line", **payload: Any) -> UUID:
    ordering_key = payload.pop("ordering_key", None)
    return tenant.run(
        lambda: enqueue(kind, name, {"name": name, **payload}, ordering_key=ordering_key)
    )


def row(tenant: Tenant, job_id: UUID) -> dict[str, Any]:
    [found] = tenant.rows("SELECT * FROM jobs WHERE id = %(id)s", id=job_id)
    return found


def change(tenant: Tenant, job_id: UUID, values: str) -> None:
    tenant.rows(f"UPDATE jobs SET {values} WHERE id = %(id)s RETURNING id", id=job_id)


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
    assert in_lane["signature"] == {"sales.fulfil_signature"}
    assert in_lane["document"] == {"sales.render_signed_document"}
    with_effect = {task.kind.name for task in TASKS.values() if task.effect is not None}
    assert with_effect <= in_lane["outside"] | {name for name in with_effect if "test." in name}


def test_the_job_that_has_been_due_the_longest_comes_first(tenant: Tenant) -> None:
    ids = [ask(tenant, name) for name in ("younger", "oldest", "youngest")]
    for job_id, seconds in zip(ids, (20, 30, 10), strict=True):
        change(tenant, job_id, f"run_at = now() - interval '{seconds} seconds'")
    assert take_all() == ["oldest", "younger", "youngest"]


def test_a_job_that_is_not_due_yet_is_left_alone(tenant: Tenant) -> None:
    later = ask(tenant, "later")
    change(tenant, later, "run_at = now() + interval '1 minute'")
    ask(tenant, "now")
    assert take_all() == ["now"]
    assert row(tenant, later)["attempts"] == 0


def test_a_lane_takes_nothing_from_another(tenant: Tenant) -> None:
    ask(tenant, "bulk")
    assert not lanes.run_next(SIGNATURE) and not lanes.run_next(SHORT)
    assert take_all() == ["bulk"]


def test_a_lane_takes_nothing_from_another_of_the_same_organization(tenant: Tenant) -> None:
    """Both have something due, and what is due in the other one has been so for longer."""
    change(tenant, ask(tenant, "letter", "test.line_send"), "run_at = now() - interval '1 hour'")
    ask(tenant, "bulk")
    assert lanes.run_next(BULK)
    assert (ran, sent) == (["bulk"], [])


def test_organizations_take_turns_however_much_one_of_them_asks_for(
    tenants: list[Tenant],
) -> None:
    noisy, quiet, other = tenants
    for n in range(20):
        ask(noisy, f"noisy {n}")
    ask(quiet, "quiet")
    ask(other, "other")
    order = take_all()
    assert {"quiet", "other"} <= set(order[:3])
    assert len(order) == 22


def test_a_new_organization_is_served_after_one_job_of_the_noisy_one(
    tenants: list[Tenant],
) -> None:
    noisy, quiet, _ = tenants
    for n in range(20):
        ask(noisy, f"noisy {n}")
    for _ in range(3):
        lanes.run_next(BULK)
    ask(quiet, "quiet")
    lanes.run_next(BULK)
    assert ran[-1] == "quiet"


def test_whoever_waits_in_backoff_does_not_cost_the_others_their_turn(
    tenants: list[Tenant],
) -> None:
    down, busy, other = tenants
    for n in range(5):
        change(down, ask(down, f"down {n}"), "run_at = now() + interval '5 minutes'")
    ask(busy, "busy")
    ask(other, "other")
    assert sorted(take_all()) == ["busy", "other"]


def test_a_batch_is_taken_together_and_counts_as_one_turn(tenants: list[Tenant]) -> None:
    one, two, _ = tenants
    for n in range(3):
        ask(one, f"one{n}", "test.line_batch")
        ask(two, f"two{n}", "test.line_batch")
    assert take_all() == ["one0+one1+one2", "two0+two1+two2"]
    assert one.count("jobs", "state = 'done'") == two.count("jobs", "state = 'done'") == 3


def test_a_claimed_job_is_not_taken_twice_and_is_due_again_soon(tenant: Tenant) -> None:
    job_id = ask(tenant, "one")
    claimed = lanes._claim_next(BULK)
    assert claimed is not None and (claimed.job_id, claimed.attempt) == (job_id, 1)
    assert lanes._claim_next(BULK) is None, "another consumer would do it a second time"
    change(tenant, job_id, "run_at = run_at - interval '1500 milliseconds'")  # its process died
    again = lanes._claim_next(BULK)
    assert again is not None and (again.job_id, again.attempt) == (job_id, 2)


def test_a_job_that_somebody_holds_is_passed_by(own_stack: OwnStack, tenant: Tenant) -> None:
    held, free = ask(tenant, "held"), ask(tenant, "free")
    with db.engines["read"].connect().execution_options(isolation_level="READ COMMITTED") as other:
        other.execute(
            text("SELECT set_config('app.organization_id', :id, true)"), {"id": str(tenant.id)}
        )
        other.execute(text("SELECT id FROM jobs WHERE id = :id FOR UPDATE"), {"id": held})
        started = time.monotonic()
        assert take_all() == ["free"]
        assert time.monotonic() - started < 1.0, "it waited for the lock"
    assert row(tenant, free)["state"] == "done"
    assert take_all() == ["free", "held"]


def test_a_job_with_an_effect_outside_is_claimed_under_a_lease(tenant: Tenant) -> None:
    job_id = ask(tenant, "letter", "test.line_send")
    claimed = lanes._claim_next(OUTSIDE)
    assert claimed is not None and claimed.fence == 1
    held = row(tenant, job_id)
    assert held["state"] == "running" and held["lease_until"] is not None


def test_jobs_with_the_same_ordering_key_keep_their_order_and_hold_up_no_others(
    tenant: Tenant,
) -> None:
    first = ask(tenant, "first", ordering_key="k")
    ask(tenant, "second", ordering_key="k")
    ask(tenant, "free")
    change(tenant, first, "run_at = now() + interval '1 minute'")
    assert take_all() == ["free"]
    change(tenant, first, "run_at = now()")
    assert take_all() == ["free", "first", "second"]


def test_what_waits_for_a_failed_one_is_put_off_with_it(tenant: Tenant) -> None:
    first = ask(tenant, "first", ordering_key="k", fail=True)
    second = ask(tenant, "second", ordering_key="k")
    other = ask(tenant, "other", ordering_key="l")
    assert take_all() == ["first", "other"]
    assert row(tenant, second)["run_at"] == row(tenant, first)["run_at"]
    assert row(tenant, other)["state"] == "done"


def test_what_is_asked_for_behind_one_that_waits_is_due_when_that_one_has_ended(
    tenant: Tenant,
) -> None:
    """Or thousands of mails would be looked at in vain while the mail server is away."""
    first = ask(tenant, "first", ordering_key="k")
    change(tenant, first, "run_at = now() + interval '1 minute'")
    second = ask(tenant, "second", ordering_key="k")
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
    poisoned = ask(tenant, "poisoned")
    change(tenant, poisoned, "attempts = max_attempts")
    ask(tenant, "next")
    assert take_all() == ["next"]
    assert row(tenant, poisoned)["state"] == "dead"


def test_a_kind_that_only_a_newer_version_knows_is_left_to_it(tenant: Tenant) -> None:
    unknown = ask(tenant, "unknown")
    change(tenant, unknown, "kind = 'test.of_tomorrow'")
    ask(tenant, "known")
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
