"""What came of a run: the clients' logs, the mails and the waits, against the database."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.clients import Tally
from tests.chaos.latency import Bounds, Clock, Stretch, Waits, late, signatures, waits
from tests.chaos.refusals import unexplained
from tests.chaos.report import Injected, Mails, Result
from tests.chaos.verdict import compare, operations
from tests.support.oracle import crossings, mail_violations, mails, violations
from tests.support.tenants import Tenant

SIGNED_SECONDS = 15.0
# While one of these is broken an answer 503 is the right one.
NEEDED_BY_REQUESTS = ("web ", "PostgreSQL ")

# Those whose wake-up was in the broker when it died wait as well.
_SLOWEST = """SELECT max(extract(epoch FROM finished_at - created_at))::float AS seconds FROM jobs
    WHERE kind = 'sales.fulfil_signature' AND finished_at >= to_timestamp(%s)
      AND created_at <= to_timestamp(%s)"""


def canary(number: int) -> str:
    """The word in everything that tenant `number` writes."""
    return f"canary{number}bird"


def judge(
    arena: Arena,
    tenants: Sequence[Tenant],
    journals: Path,
    tally: Tally,
    injected: list[Injected],
    failures: Iterable[str],
) -> Result:
    """The result; what is not as promised stands in its lost, doubled and failures."""
    arena.stack.wait_until_postgres_answers()
    result = Result(arena.plan.seed, arena.plan.seconds, injected, [], [], [])
    result.failures = [*failures, *arena.findings, *tally.leaks]
    result.commits_cut = arena.stack.postgres_proxy.commits_cut
    result.poison_kills, result.quiet_waits = arena.poison_kills, arena.quiet_waits
    result.bursts = arena.bursts
    for number, tenant in enumerate(tenants):
        told = operations(sorted(journals.glob(f"{number}-*.jsonl")))
        lost, doubled = compare(tenant, told)
        result.operations += told
        result.lost += lost
        result.doubled += doubled
        others = crossings(tenant, canary((number + 1) % len(tenants)))
        result.failures += [f"tenant {number}: {text}" for text in [*violations(tenant), *others]]
    _judge_without_valkey(arena, result)
    _judge_mails(arena, tenants, result)
    _judge_waits(arena, result)
    _judge_refusals(arena, tally, result)
    return result


def _judge_without_valkey(arena: Arena, result: Result) -> None:
    slowest = [
        row["seconds"]
        for stretch in arena.without_valkey
        for row in arena.stack.query(_SLOWEST, stretch)
        if row["seconds"] is not None
    ]
    if slowest:
        result.slowest_without_valkey = max(slowest)
        if max(slowest) > SIGNED_SECONDS:
            result.failures.append(
                f"with Valkey dead a signature took {max(slowest):.1f} s to be carried out"
            )


def _judge_mails(arena: Arena, tenants: Sequence[Tenant], result: Result) -> None:
    received = arena.stack.smtp.received
    lost, strange = mail_violations(tenants, received)
    again = sum(n > 1 for n in received.values())
    asked = sum(len(mails(tenant)) for tenant in tenants)
    result.mails = Mails(asked, len(received), again, arena.stack.smtp.connections, lost, strange)
    result.failures += lost + strange


def _judge_waits(arena: Arena, result: Result) -> None:
    now, down = time.time(), arena.stack.postgres_down
    signed = signatures(arena.stack.query, without=arena.poisoned)

    def within(stretches: Iterable[Stretch]) -> Waits:
        parts = [one for one in signed if any(a <= one.signed <= b for a, b in stretches)]
        return waits(parts, down, now)

    result.postgres_down = Clock(down).down_seconds
    if bursts := [(one.begin, one.end) for one in arena.bursts]:
        result.waits.append(("in a burst", within(bursts), None))
    if arena.calm_from:
        calm = within([(arena.calm_from, math.inf)])
        result.waits.append(("after the storm", calm, Bounds()))
    result.waits.append(("All", within([(0.0, math.inf)]), arena.plan.bounds))
    for name, found, bounds in result.waits:
        if bounds is not None:
            result.failures += [f"{name}: {text}" for text in late(found, bounds)]


def _judge_refusals(arena: Arena, tally: Tally, result: Result) -> None:
    broken = [
        *arena.stack.postgres_down,
        *(
            (fault.time, fault.over + fault.recovery)
            for fault in result.injected
            if fault.name.startswith(NEEDED_BY_REQUESTS)
        ),
    ]
    refused = unexplained(tally.turned_away, broken)
    result.turned_away = len(refused)
    result.failures += [
        f"a signature was refused at {time.strftime('%H:%M:%S', time.gmtime(one.answered))}:"
        f" {one.status} {one.text}"
        for one in refused
    ]
