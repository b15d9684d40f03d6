"""Proof that a signature carried out late, or after a younger one, would be seen."""

from __future__ import annotations

import random
import time

import pytest

from tests.chaos.latency import Bounds, Clock, Signed, Waits, late, signatures, waits
from tests.conftest import Live
from tests.support.tenants import eventually

pytestmark = pytest.mark.drill

BOUNDS = Bounds(p99=15.0, worst=30.0, overtaken=30.0)


def in_time(count: int = 1000) -> list[Signed]:
    """A signature a second, each carried out a second later."""
    return [Signed(f"s{n}", float(n), n + 1.0) for n in range(count)]


def found(signed: list[Signed], down: tuple[tuple[float, float], ...] = ()) -> list[str]:
    return late(waits(signed, down, now=2000.0), BOUNDS)


def test_signatures_carried_out_in_time_and_order_are_well() -> None:
    assert waits(in_time(), []) == Waits(1000, 1.0, 1.0, 1.0, 0.0, 0, "s999")
    assert found(in_time()) == []


def test_one_signature_carried_out_late_is_seen() -> None:
    signed = [*in_time(), Signed("the late one", 999.0, 999.0 + 31)]
    assert found(signed) == ["the signature of the late one waited 31.0 s (bound 30 s)"]


def test_one_late_signature_in_fifty_is_seen_although_none_is_past_the_worst() -> None:
    signed = [*in_time(980), *(Signed(f"late {n}", 980.0 + n, 996.5 + n) for n in range(20))]
    assert found(signed) == ["one signature in 100 waited 16.5 s (bound 15 s)"]


def test_a_signature_that_a_much_younger_one_overtook_is_seen() -> None:
    signed = [Signed("old", 0.0, 40.0), Signed("young", 1.0, 2.0)]
    loose = Bounds(p99=100.0, worst=100.0, overtaken=30.0)
    assert late(waits(signed, []), loose) == [
        "the signature of old was carried out 38.0 s after a younger one (bound 30 s)"
    ]


def test_one_given_at_the_same_moment_is_not_younger() -> None:
    signed = [Signed("a", 0.0, 40.0), Signed("b", 0.0, 1.0)]
    assert waits(signed, []).overtaken == 0.0


def test_a_signature_that_was_never_carried_out_is_seen_and_counts_as_waiting_until_now() -> None:
    failures = found([*in_time(), Signed("forgotten", 1900.0, None)])
    assert failures == [
        "1 signatures were not carried out",
        "the signature of forgotten waited 100.0 s (bound 30 s)",
    ]


def test_the_time_that_postgresql_was_down_is_not_counted() -> None:
    [signed] = [Signed("a", 100.0, 140.0)]
    assert waits([signed], [(110.0, 130.0), (120.0, 135.0), (300.0, 400.0)]).worst == 15.0
    assert waits([signed], [(90.0, 105.0), (138.0, 150.0)]).worst == 33.0
    assert found([signed], ((110.0, 131.0),)) == ["one signature in 100 waited 19.0 s (bound 15 s)"]


def test_the_clock_stands_still_while_postgresql_is_down() -> None:
    clock = Clock([(10.0, 20.0), (30.0, 31.0)])
    assert [clock.at(t) for t in (5, 10, 15, 20, 25, 30.5, 40)] == [5, 10, 10, 10, 15, 20, 29]
    assert clock.down_seconds == 11.0


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_judged_as_by_comparing_every_pair(seed: int) -> None:
    chance = random.Random(seed)
    signed = [
        Signed(str(n), at, at + chance.choice([1.0, chance.uniform(0, 60)]))
        for n, at in enumerate(chance.uniform(0, 100) for _ in range(100))
    ]
    pairs = [(a.done or 0) - (b.done or 0) for a in signed for b in signed if a.signed < b.signed]
    assert waits(signed, []).overtaken == pytest.approx(max(0.0, *pairs))


def test_the_times_of_a_signature_are_those_of_the_database(live: Live) -> None:
    before = time.time()
    proposal = live.send_proposal()
    assert live.api.sign(proposal, client=live.client, Prefer="wait=20").status == 200
    rows = live.tenant.rows
    [mine] = eventually(
        lambda: [s for s in signatures(rows) if s.name == proposal["id"] and s.done is not None]
    )
    assert before <= mine.signed <= (mine.done or 0) <= time.time()
    assert proposal["id"] not in [s.name for s in signatures(rows, without=[proposal["id"]])]
