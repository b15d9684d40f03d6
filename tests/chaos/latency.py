"""How long each signature waited to be carried out, and whether a younger one overtook it.

The times are the database's own: from the transaction that signed to the end of the job that made
the engagement. While PostgreSQL itself is down nobody waits for the product: time stands still.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import psycopg

from tests.chaos.stack import ChaosStack

Stretch = tuple[float, float]  # seconds since 1970, as time.time() and PostgreSQL tell them

_SIGNATURES = """SELECT coalesce(s.proposal_id, j.id)::text AS name,
        extract(epoch FROM j.created_at)::float AS signed,
        extract(epoch FROM j.finished_at)::float AS done
    FROM jobs j LEFT JOIN signatures s ON s.organization_id = j.organization_id
         AND s.id = (j.payload->>'signature_id')::uuid
    WHERE j.kind = 'sales.fulfil_signature'"""
_OLDEST = """SELECT extract(epoch FROM clock_timestamp() - min(j.created_at))::float AS seconds
    FROM jobs j JOIN signatures s ON s.organization_id = j.organization_id
     AND s.id = (j.payload->>'signature_id')::uuid
    WHERE j.kind = 'sales.fulfil_signature' AND j.state IN ('ready', 'running')
      AND s.proposal_id::text <> ALL(%s)"""


@dataclass(frozen=True)
class Bounds:
    """What is promised, in seconds."""

    p99: float = 15.0
    worst: float = 30.0
    overtaken: float = 30.0


@dataclass(frozen=True)
class Signed:
    """A signature: when it was given, and when it had been carried out (None: not yet)."""

    name: str
    signed: float
    done: float | None


@dataclass(frozen=True)
class Waits:
    """The waits of many signatures. `overtaken` is the most by which a younger one was earlier."""

    count: int
    p50: float
    p99: float
    worst: float
    overtaken: float
    unfinished: int
    worst_name: str = ""
    overtaken_name: str = ""


class Clock:
    """Tells how much time had passed at a moment, without the stretches PostgreSQL was down."""

    def __init__(self, down: Iterable[Stretch]) -> None:
        stretches = _merged(down)
        self._begins = [begin for begin, _ in stretches]
        self._ends = [end for _, end in stretches]
        self._before = [0.0, *accumulate(end - begin for begin, end in stretches)]

    @property
    def down_seconds(self) -> float:
        """How long PostgreSQL was down, all in all."""
        return self._before[-1]

    def at(self, moment: float) -> float:
        """The time that had passed at `moment`; within a stretch it is that of its beginning."""
        n = bisect_right(self._begins, moment)
        if n and moment < self._ends[n - 1]:
            return self._begins[n - 1] - self._before[n - 1]
        return moment - self._before[n]


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for begin, end in sorted(stretches):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def signatures(
    query: Callable[[str], list[dict[str, Any]]], without: Iterable[str] = ()
) -> list[Signed]:
    """All signatures of the run, but for those of the proposals `without`."""
    left_out = set(without)
    return [Signed(**row) for row in query(_SIGNATURES) if row["name"] not in left_out]


def oldest_wait(stack: ChaosStack, without: Iterable[str] = ()) -> float | None:
    """The seconds that the oldest signature waits now, but for those of the proposals `without`.

    0 when none does, None when the database does not answer.
    """
    try:
        with stack.connect() as connection:
            row = connection.execute(_OLDEST, [list(without)]).fetchone()
    except psycopg.OperationalError:  # it is down: a fault of the run
        return None
    return float((row and row["seconds"]) or 0.0)


def waits(all_signed: Sequence[Signed], down: Iterable[Stretch], now: float | None = None) -> Waits:
    """Measure. One that has not been carried out counts as if it were now."""
    clock, end = Clock(down), now or time.time()
    if not all_signed:
        return Waits(0, 0.0, 0.0, 0.0, 0.0, 0)
    spans = sorted(
        (clock.at(one.signed), clock.at(end if one.done is None else one.done), one.name)
        for one in all_signed
    )
    ranked = sorted((done - signed, name) for signed, done, name in spans)
    overtaken, overtaken_name = _overtaken(spans)
    return Waits(
        count=len(ranked),
        p50=_rank(ranked, 0.50),
        p99=_rank(ranked, 0.99),
        worst=ranked[-1][0],
        overtaken=overtaken,
        unfinished=sum(one.done is None for one in all_signed),
        worst_name=ranked[-1][1],
        overtaken_name=overtaken_name,
    )


def _rank(ranked: Sequence[tuple[float, str]], share: float) -> float:
    """The nearest rank: the least wait that `share` of all do not exceed."""
    return ranked[math.ceil(share * len(ranked)) - 1][0]


def _overtaken(spans: Sequence[tuple[float, float, str]]) -> tuple[float, str]:
    """From the youngest to the oldest: how long after the first of those younger it was done."""
    worst, worst_name, first_done = 0.0, "", math.inf
    for _, done, name in reversed(spans):
        if done - first_done > worst:
            worst, worst_name = done - first_done, name
        first_done = min(first_done, done)
    return worst, worst_name


def late(found: Waits, bounds: Bounds) -> list[str]:
    """What is not as promised, in words."""
    failures = []
    if found.unfinished:
        failures.append(f"{found.unfinished} signatures were not carried out")
    if found.p99 > bounds.p99:
        failures.append(f"one signature in 100 waited {found.p99:.1f} s (bound {bounds.p99:g} s)")
    if found.worst > bounds.worst:
        failures.append(
            f"the signature of {found.worst_name} waited {found.worst:.1f} s"
            f" (bound {bounds.worst:g} s)"
        )
    if found.overtaken > bounds.overtaken:
        failures.append(
            f"the signature of {found.overtaken_name} was carried out {found.overtaken:.1f} s after"
            f" a younger one (bound {bounds.overtaken:g} s)"
        )
    return failures
