"""One run: start the stack, drive it, break it, wait until it is quiet, and judge."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.burst import BURST_TENANT
from tests.chaos.clients import AwaitingClient, Caller, Client, FlowClient, Journal, Tally
from tests.chaos.faults import POSTGRES_BOUND, Fault, bag, take
from tests.chaos.judge import canary, judge
from tests.chaos.latency import oldest_wait
from tests.chaos.noisy import NOISY_TENANT
from tests.chaos.plan import Plan
from tests.chaos.probe import Probe
from tests.chaos.report import Injected, Result
from tests.chaos.stack import ChaosStack
from tests.chaos.stock import Stock
from tests.chaos.storm import storm
from tests.support.oracle import unfinished
from tests.support.tenants import Tenant

TENANTS = 4  # two whose clients work throughout, a noisy and a quiet one
TENANTS_AT_WORK = 2
FLOW_CLIENTS, AWAITING_CLIENTS = 5, 8  # of each of those
END_SECONDS = 120.0  # for the clients' last flows
PROGRESS_SECONDS = 5.0

# A mail that was tried while its server was away waits for minutes; the run does not.
_MAILS_DUE = """UPDATE jobs SET run_at = clock_timestamp(), publish_after = clock_timestamp()
    WHERE kind LIKE 'sales.mail_%%' AND state = 'ready' AND run_at > clock_timestamp()"""
MAILS_DUE_EVERY = 5.0  # seconds, while waiting for the end


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
            clients = self._clients(stack, tenants)
            probe = Probe(stack, self._caller(stack, tenants, 0, "probe"), tenants[0].id)
            arena = self._arena(stack, tenants)
            progress = threading.Thread(target=self._tell, args=[arena], daemon=True)
            for thread in (*clients, arena.to_sign, arena.to_send, progress):
                thread.start()
            try:
                self._now = "no fault yet"
                time.sleep(3)
                self._break(arena, probe)
                self._now = "waiting until all is done"
                stack.resume_all()
            finally:
                self._stop.set()
            over = time.monotonic()
            for client in (*clients, arena.to_sign, arena.to_send):
                client.join(END_SECONDS)
                if client.is_alive():
                    self._failures.append(f"client {client.name} did not come to an end")
                self._failures += [f"client {client.name}: {text}" for text in client.problems]
            self._wait_until_quiet(stack, tenants)
            until_quiet = time.monotonic() - over
            result = judge(
                arena, tenants, self._journals, self._tally, self._injected, self._failures
            )
            result.storm, result.until_quiet = self._stormed, until_quiet
            return result

    def _clients(self, stack: ChaosStack, tenants: list[Tenant]) -> list[Client]:
        """Those that work throughout: the ones go through whole flows, the others only sign."""
        made: list[Client] = []
        for kind, count, pace in (
            (FlowClient, FLOW_CLIENTS, self._plan.seconds_a_flow),
            (AwaitingClient, AWAITING_CLIENTS, self._plan.seconds_a_signature),
        ):
            for number in range(TENANTS_AT_WORK):
                for n in range(count):
                    caller = self._caller(stack, tenants, number, f"{kind.__name__}-{n}")
                    seed = self._chance.randrange(2**32)
                    made.append(
                        kind(f"{number}-{kind.__name__}-{n}", caller, self._stop, seed, pace)
                    )
        return made

    def _arena(self, stack: ChaosStack, tenants: list[Tenant]) -> Arena:
        plan = self._plan

        def hire(number: int, name: str) -> Caller:
            return self._caller(stack, tenants, number, name)

        signer, sender = hire(BURST_TENANT, "prepare"), hire(NOISY_TENANT, "prepare")
        return Arena(
            stack,
            plan,
            tenants[0],
            hire(0, "faults"),
            hire,
            Stock(
                "proposals to be signed",
                lambda: signer.send_proposal(1),
                plan.burst[0],
                plan.preparing_seconds,
                self._stop,
            ),
            Stock(
                "proposals to be sent",
                lambda: sender.create_proposal(1),
                plan.noise[0],
                plan.preparing_seconds,
                self._stop,
            ),
            self._chance,
            ends=self._begin + plan.seconds,
        )

    def _caller(self, stack: ChaosStack, tenants: list[Tenant], number: int, name: str) -> Caller:
        other = (number + 1) % len(tenants)
        return Caller(
            stack.base_url,
            tenants[number].api_key,
            Journal(self._journals / f"{number}-{name}.jsonl"),
            self._tally,
            canary(number),
            canary(other),
        )

    def _break(self, arena: Arena, probe: Probe) -> None:
        """The storm of a short run; then fault after fault until the time is over: all kinds in
        random order, in a long run again and again."""
        if not self._plan.is_long:
            self._storm(arena, probe)
        faults = bag(self._plan, self._chance)
        while time.monotonic() < arena.ends:
            fault = take(faults, arena)
            if fault is None:
                if self._plan.is_long:
                    faults = bag(self._plan, self._chance) + faults
                elif not faults:
                    return
                arena.stack.supervisor.pause(0.2)
                continue
            over = self._one(fault, arena, probe)
            next_at = over + self._chance.uniform(*self._plan.pause)
            arena.stack.supervisor.pause(max(0.0, next_at - time.monotonic()))

    def _storm(self, arena: Arena, probe: Probe) -> None:
        self._now = "storm"
        storm(arena, self._plan.kills, self._plan.storm_seconds, self._injected)
        self._stormed, arena.calm_from = len(self._injected), time.time()
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

    def _wait_until_quiet(self, stack: ChaosStack, tenants: list[Tenant]) -> None:
        begin, mails_due_at = time.monotonic(), 0.0
        while any(unfinished(tenant) for tenant in tenants):
            if time.monotonic() > begin + self._plan.quiet_seconds:
                self._failures.append(
                    f"jobs are left after {self._plan.quiet_seconds:.0f} s of quiet"
                )
                return
            if time.monotonic() > mails_due_at:
                stack.query(_MAILS_DUE)
                mails_due_at = time.monotonic() + MAILS_DUE_EVERY
            time.sleep(0.5)

    def _tell(self, arena: Arena) -> None:
        """The live progress line."""
        while not self._stop.wait(PROGRESS_SECONDS):
            told = self._tally.acknowledged
            worst = max((fault.recovery for fault in self._injected), default=0.0)
            waits = oldest_wait(arena.stack, without=arena.poisoned)
            print(
                f"{time.monotonic() - self._begin:6.0f} s"
                f"  {told.get('sign', 0):5} signed  {told.get('message', 0):5} messages"
                f"  {told.get('status', 0) + told.get('advance', 0):5} moves"
                f"  oldest waits {'     ?' if waits is None else f'{waits:4.1f} s'}"
                f"  {len(self._injected):3} faults  worst {worst:4.1f} s"
                f"  {len(self._failures)} failures  | {self._now}",
                flush=True,
            )
