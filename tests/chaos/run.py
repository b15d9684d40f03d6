"""One run: start the stack, drive it, break it, wait until it is quiet, and judge."""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.clients import Caller, Client, Journal, Tally
from tests.chaos.faults import FAULTS, POSTGRES_BOUND, Fault
from tests.chaos.probe import Probe
from tests.chaos.report import Injected, Result
from tests.chaos.stack import ChaosStack
from tests.chaos.storm import NAMES, storm
from tests.chaos.verdict import compare, operations
from tests.support.oracle import crossings, unfinished, violations
from tests.support.tenants import Tenant

TENANTS = 2
CLIENTS_A_TENANT = 5
QUIET_SECONDS = 120.0
SIGNED_SECONDS = 15.0
LONG_MINUTES = 5.0  # from here on: fault after fault, each alone; below: a storm, then a few
STORM_SHARE = 3 / 4  # of a short run
KILLS_A_MINUTE = 7  # of a short run, for each class of processes
PROGRESS_SECONDS = 5.0

# Those whose hint was in the broker when it died wait as well.
_SLOWEST = """SELECT max(extract(epoch FROM finished_at - created_at))::float AS seconds FROM jobs
    WHERE kind = 'sales.fulfil_signature' AND finished_at >= to_timestamp(%s)
      AND created_at <= to_timestamp(%s)"""


@dataclass(frozen=True)
class Plan:
    """How long, how dense; everything random follows from `seed`."""

    minutes: float
    seed: int

    @property
    def is_long(self) -> bool:
        return self.minutes >= LONG_MINUTES

    @property
    def pause(self) -> tuple[float, float]:
        """The least and the most seconds from the end of one fault to the next, unless the stack
        takes longer to work again: that is waited for."""
        return (5.0, 14.0) if self.is_long else (0.5, 2.0)

    @property
    def storm_seconds(self) -> float:
        return 0.0 if self.is_long else 60 * self.minutes * STORM_SHARE

    @property
    def kills(self) -> int:
        """How often the storm kills each class of processes."""
        return math.ceil(KILLS_A_MINUTE * self.minutes)

    def bag(self, chance: random.Random) -> list[Fault]:
        """Faults to take from the end, until the bag is empty or the time is over."""
        bag = [f for f in FAULTS if self.is_long or not (f.long or f.name in NAMES)]
        chance.shuffle(bag)
        # Short runs end before all had their turn.
        return bag if self.is_long else sorted(bag, key=lambda fault: fault.early)

    @property
    def dead_seconds(self) -> float:
        """How long Valkey stays dead: past the dispatcher's 10 s of patience."""
        return 45.0 if self.is_long else 14.0

    @property
    def seconds_a_flow(self) -> float:
        """The pace of each client: bounds the load."""
        return 2.2 if self.is_long else 1.6


class Run:
    """One run in `folder`. `go` does it and returns the result."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        self._chance = random.Random(plan.seed)
        self._tally = Tally()
        self._stop = threading.Event()
        self._injected: list[Injected] = []
        self._stormed = 0
        self._failures: list[str] = []
        self._now = "starting"
        self._begin = 0.0

    def go(self) -> Result:
        """Start, load, break, judge. Raises StartError or TimeoutError if it cannot start."""
        with ChaosStack(self._folder) as stack:
            self._journals = stack.folder / "clients"
            self._journals.mkdir()
            self._begin = time.monotonic()
            tenants = [Tenant.create(stack.app, f"Firm {n}") for n in range(TENANTS)]
            clients = [
                Client(
                    f"{number}-{n}",
                    self._caller(stack, tenants, number, f"{number}-{n}"),
                    self._stop,
                    self._chance.randrange(2**32),
                    self._plan.seconds_a_flow,
                )
                for number in range(TENANTS)
                for n in range(CLIENTS_A_TENANT)
            ]
            probe = Probe(stack, self._caller(stack, tenants, 0, "0-probe"), tenants[0].id)
            arena = Arena(
                stack,
                tenants[0],
                self._caller(stack, tenants, 0, "0-faults"),
                self._chance,
                self._plan.dead_seconds,
            )
            progress = threading.Thread(target=self._tell, daemon=True)
            for thread in (*clients, progress):
                thread.start()
            try:
                self._now = "no fault yet"
                time.sleep(3)
                self._break(arena, probe)
                self._now = "waiting until all is done"
                stack.resume_all()
            finally:
                self._stop.set()
            for client in clients:
                client.join(QUIET_SECONDS)
                if client.is_alive():
                    self._failures.append(f"client {client.name} did not come to an end")
                self._failures += [f"client {client.name}: {text}" for text in client.problems]
            self._wait_until_quiet(tenants)
            return self._judge(stack, tenants, arena)

    def _caller(self, stack: ChaosStack, tenants: list[Tenant], number: int, name: str) -> Caller:
        other = (number + 1) % len(tenants)
        return Caller(
            stack.base_url,
            tenants[number].api_key,
            Journal(self._journals / f"{name}.jsonl"),
            self._tally,
            canary(number),
            canary(other),
        )

    def _break(self, arena: Arena, probe: Probe) -> None:
        """The storm of a short run; then fault after fault until the time is over: all kinds in
        random order, in a long run again and again."""
        if not self._plan.is_long:
            self._storm(arena, probe)
        end = time.monotonic() + 60 * self._plan.minutes - self._plan.storm_seconds
        bag = self._plan.bag(self._chance)
        while bag and time.monotonic() < end:
            over = self._one(bag.pop(), arena, probe)
            next_at = over + self._chance.uniform(*self._plan.pause)
            arena.stack.supervisor.pause(max(0.0, next_at - time.monotonic()))
            if not bag and self._plan.is_long:
                bag = self._plan.bag(self._chance)

    def _storm(self, arena: Arena, probe: Probe) -> None:
        self._now = "storm"
        storm(arena, self._plan.kills, self._plan.storm_seconds, self._injected)
        self._stormed = len(self._injected)
        for fault in self._injected:
            self._check(fault)
        try:
            seconds, last = probe.seconds(time.monotonic())
        except Exception as error:
            self._failures.append(f"after the storm: {error!r}")
            return
        self._now = f"after the storm all works within {seconds:.1f} s"
        if seconds > POSTGRES_BOUND:
            self._failures.append(f"after the storm {last} worked after {seconds:.1f} s")

    def _one(self, fault: Fault, arena: Arena, probe: Probe) -> float:
        """Inject one fault and wait until all works again; when (monotonic) it was over."""
        self._now, at = fault.name, time.time()
        try:
            fault.inject(arena)
        except Exception as error:
            self._failures.append(f"{fault.name}: {error!r}")
            arena.stack.resume_all()
        over, since = time.time(), time.monotonic()
        try:
            seconds, last = probe.seconds(since)
        except Exception as error:
            self._failures.append(f"after {fault.name}: {error!r}")
            return since
        self._injected.append(Injected(fault.name, at, over, seconds, last, fault.bound))
        self._now = f"{fault.name}: works after {seconds:.1f} s"
        self._check(self._injected[-1])
        return since

    def _check(self, fault: Injected) -> None:
        if fault.recovery > fault.bound:
            self._failures.append(
                f"{fault.name} at {time.strftime('%H:%M:%S', time.gmtime(fault.time))}:"
                f" {fault.last} worked after {fault.recovery:.1f} s, not within {fault.bound:.0f} s"
            )

    def _wait_until_quiet(self, tenants: list[Tenant]) -> None:
        deadline = time.monotonic() + QUIET_SECONDS
        while any(unfinished(tenant) for tenant in tenants):
            if time.monotonic() > deadline:
                self._failures.append(f"jobs are left after {QUIET_SECONDS:.0f} s of quiet")
                return
            time.sleep(0.5)

    def _judge(self, stack: ChaosStack, tenants: list[Tenant], arena: Arena) -> Result:
        result = Result(self._plan.seed, 60 * self._plan.minutes, self._injected, [], [], [])
        result.failures = [*self._failures, *arena.findings, *self._tally.leaks]
        result.commits_cut = stack.postgres_proxy.commits_cut
        result.poison_kills = arena.poison_kills
        result.storm = self._stormed
        for number, tenant in enumerate(tenants):
            told = operations(sorted(self._journals.glob(f"{number}-*.jsonl")))
            lost, doubled = compare(tenant, told)
            result.operations += told
            result.lost += lost
            result.doubled += doubled
            others = crossings(tenant, canary((number + 1) % TENANTS))
            result.failures += [
                f"tenant {number}: {text}" for text in [*violations(tenant), *others]
            ]
        slowest = [
            row["seconds"]
            for stretch in arena.without_valkey
            for row in stack.query(_SLOWEST, stretch)
            if row["seconds"] is not None
        ]
        if slowest:
            result.slowest_without_valkey = max(slowest)
            if max(slowest) > SIGNED_SECONDS:
                result.failures.append(
                    f"with Valkey dead a signature took {max(slowest):.1f} s to be carried out"
                )
        return result

    def _tell(self) -> None:
        """The live progress line."""
        while not self._stop.wait(PROGRESS_SECONDS):
            told = self._tally.acknowledged
            worst = max((fault.recovery for fault in self._injected), default=0.0)
            print(
                f"{time.monotonic() - self._begin:6.0f} s"
                f"  {told.get('sign', 0):5} signed  {told.get('message', 0):5} messages"
                f"  {told.get('status', 0) + told.get('advance', 0):5} moves"
                f"  {len(self._injected):3} faults  worst {worst:4.1f} s"
                f"  {len(self._failures)} failures  | {self._now}",
                flush=True,
            )


def canary(number: int) -> str:
    """The word in everything that tenant `number` writes."""
    return f"canary{number}bird"
