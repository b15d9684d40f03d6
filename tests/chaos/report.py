"""What a run found, as a table for people."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.arena import Burst
from tests.chaos.latency import Bounds, Waits
from tests.chaos.verdict import Miss, Operation

BEFORE = "(before the first fault)"
STORM_NOTE = """
In the storm, where everything is killed beside everything else, it runs until what was killed
was up *itself*."""


@dataclass(frozen=True)
class Injected:
    """A fault as it happened: when it began and was over (time.time()), and what came back."""

    name: str
    time: float
    over: float
    recovery: float  # seconds
    last: str  # what was the last to work again
    bound: float


@dataclass(frozen=True)
class Mails:
    """How many mails were asked for and came, and what came more than once, lost or unasked."""

    asked: int
    received: int
    again: int
    connections: int
    lost: list[str]
    strange: list[str]


@dataclass
class Result:
    """Everything a run measured; `failures` says in words what was not as promised."""

    seed: int
    seconds: float
    injected: list[Injected]
    operations: list[Operation]
    lost: list[Miss]
    doubled: list[Miss]
    failures: list[str] = field(default_factory=list)
    slowest_without_valkey: float | None = None
    commits_cut: int = 0
    poison_kills: int = 0
    storm: int = 0  # how many of `injected`, the first, were kills of the storm
    # of parts of the signatures, with their bounds where they have any, and at last of all
    waits: list[tuple[str, Waits, Bounds | None]] = field(default_factory=list)
    until_quiet: float = 0.0  # seconds from the last fault until all was done
    postgres_down: float = 0.0  # seconds
    bursts: list[Burst] = field(default_factory=list)
    turned_away: int = 0
    quiet_waits: list[float] = field(default_factory=list)
    mails: Mails | None = None

    @property
    def acknowledged(self) -> dict[str, int]:
        """How many operations of each kind were acknowledged."""
        counts: dict[str, int] = defaultdict(int)
        for operation in self.operations:
            counts[operation.kind] += operation.acknowledged
        return dict(counts)

    @property
    def passed(self) -> bool:
        return not (self.lost or self.doubled or self.failures)


@dataclass
class _Row:
    times: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    worst: float = 0.0
    last: str = ""
    bound: float = 0.0


def _rows(result: Result) -> dict[str, _Row]:
    """What happened between one fault and the next is counted with the former."""
    rows: dict[str, _Row] = defaultdict(_Row)

    def during(time: float) -> _Row:
        name = BEFORE
        for fault in result.injected:
            if fault.time > time:
                break
            name = fault.name
        return rows[name]

    for fault in sorted(result.injected, key=lambda fault: fault.name):
        row = rows[fault.name]
        row.times += 1
        row.bound = fault.bound
        if fault.recovery >= row.worst:
            row.worst, row.last = fault.recovery, fault.last
    for operation in result.operations:
        during(operation.time).acknowledged += operation.acknowledged
    for miss in result.lost:
        during(miss.time).lost += miss.count
    for miss in result.doubled:
        during(miss.time).doubled += miss.count
    return rows


def table(result: Result) -> str:
    """The table fault × times × acknowledged × lost × doubled × worst recovery, in Markdown."""
    rows = _rows(result)
    lines = [
        "| Fault | Times | Acknowledged | Lost | Doubled | Worst recovery | Last to work | Bound |",
        "|---|--:|--:|--:|--:|--:|---|--:|",
    ]
    for name, row in rows.items():
        recovery = f"{row.worst:.1f} s | {row.last} | {row.bound:.0f} s" if row.times else "| |"
        lines.append(
            f"| {name} | {row.times or ''} | {row.acknowledged} | {row.lost} | {row.doubled} |"
            f" {recovery} |"
        )
    total = _Row(
        sum(row.times for row in rows.values()),
        sum(row.acknowledged for row in rows.values()),
        sum(row.lost for row in rows.values()),
        sum(row.doubled for row in rows.values()),
        max((row.worst for row in rows.values()), default=0.0),
    )
    lines.append(
        f"| **All** | **{total.times}** | **{total.acknowledged}** | **{total.lost}** |"
        f" **{total.doubled}** | **{total.worst:.1f} s** | | |"
    )
    return "\n".join(lines)


def waits_table(result: Result) -> str:
    """How long the signatures waited, as a table in Markdown."""
    lines = [
        "| Signature → engagement | Number | p50 | p99 | Bound | Worst | Bound"
        " | Overtaken | Bound |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, found, bounds in result.waits:
        p99, worst, overtaken = (
            (f"{bounds.p99:g} s", f"{bounds.worst:g} s", f"{bounds.overtaken:g} s")
            if bounds
            else ("", "", "")
        )
        lines.append(
            f"| {name} | {found.count} | {found.p50:.2f} s | {found.p99:.1f} s | {p99} |"
            f" {found.worst:.1f} s | {worst} | {found.overtaken:.1f} s | {overtaken} |"
        )
    return "\n".join(lines)


def summary(result: Result) -> str:
    """Totals, and what failed, as lines."""
    counts = result.acknowledged
    again = sum(operation.tries > 1 for operation in result.operations)
    unknown = sum(not operation.acknowledged for operation in result.operations)
    kinds = ", ".join(f"{n} x {kind}" for kind, n in sorted(counts.items()))
    alone = result.injected[result.storm :]
    gaps = [b.time - a.over for a, b in pairwise(alone)]
    lines = [
        f"- {result.seconds / 60:.1f} minutes, seed {result.seed}: {counts.get('sign', 0)} sign"
        f" flows, {len(result.injected)} faults"
        + (f", {result.storm} of them in the storm" if result.storm else ""),
        f"- acknowledged: {kinds}",
        f"- asked for more than once, with the same key: {again}; never acknowledged: {unknown}",
        f"- connections cut after their COMMIT was sent: {result.commits_cut}; processes ended by"
        f" poisoned jobs: {result.poison_kills}",
    ]
    if gaps:
        lines.append(
            f"- from the end of one fault to the next{' after the storm' if result.storm else ''}:"
            f" {min(gaps):.1f} to {max(gaps):.1f} s, {sum(gaps) / len(gaps):.1f} s on the mean"
        )
    if result.slowest_without_valkey is not None:
        lines.append(
            "- with Valkey dead throughout, the slowest signature was carried out in "
            f"{result.slowest_without_valkey:.1f} s (bound: 15 s)"
        )
    lines += _under_pressure(result)
    lines.append(
        f"- lost: {sum(miss.count for miss in result.lost)},"
        f" doubled: {sum(miss.count for miss in result.doubled)}"
    )
    details = [f"lost: {miss.text}" for miss in result.lost]
    details += [f"doubled: {miss.text}" for miss in result.doubled]
    lines += [f"- FAILED: {text}" for text in [*details, *result.failures][:50]]
    return "\n".join(lines)


def _under_pressure(result: Result) -> list[str]:
    """What bursts, mails and neighbours did, and how long the signatures waited."""
    lines = [
        f"- a burst: {one.count} signatures in {one.end - one.begin:.0f} s, each offered at most"
        f" {one.behind:.1f} s after its time; the slowest answer took {one.slowest:.1f} s"
        for one in result.bursts
    ]
    if result.quiet_waits:
        lines.append(
            f"- beside a noisy organization, each mail taking 4 s, a quiet one's mails (sent:"
            f" {len(result.quiet_waits)}) came after at most {max(result.quiet_waits):.1f} s"
            " (bound: 20 s)"
        )
    if (mails := result.mails) is not None:
        lines.append(
            f"- mails: {mails.asked} asked for, {mails.received} came in {mails.connections}"
            f" connections, {mails.again} of them more than once; lost: {len(mails.lost)}, nobody"
            f" asked for: {len(mails.strange)}"
        )
    for _, waits, _ in result.waits[-1:]:
        lines.append(
            f"- from signature to engagement, without the {result.postgres_down:.0f} s in which"
            f" PostgreSQL was down: {waits.p50:.2f} s (p50), {waits.p99:.1f} s (p99),"
            f" {waits.worst:.1f} s (worst); signatures refused for load: {result.turned_away}"
        )
        lines.append(f"- from the last fault until all was done: {result.until_quiet:.0f} s")
    return lines


def document(result: Result) -> str:
    """The whole report, as kept in benchmarks/CHAOS.md."""
    outcome = "reached" if result.passed else "missed"
    note = STORM_NOTE if result.storm else ""
    return f"""# What the stack survived

Made by `make chaos MINUTES={result.seconds / 60:g}` from commit {_commit()} on {_machine()}.
docs/explanation/faults.md says what each fault does, what is expected, and how to run it again.

{summary(result)}
- outcome: **{outcome}**

{waits_table(result)}

The times are the database's, without those in which PostgreSQL itself was down. *Overtaken* is by
how long at most a signature was carried out after a younger one.

{table(result)}

*Acknowledged* counts the operations that clients were told had succeeded between this fault and
the next; each was looked for in the database afterwards. *Recovery* runs from the injection (for a
freeze, a black hole or a delay: from its end) until a signature sent afterwards was carried out,
a job that nobody hinted at was done, and a closed beat slot was opened again.{note}
"""


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "(unknown)"


def _machine() -> str:
    return f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}"
