"""What a fault may reach for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.clients import Caller
from tests.chaos.plan import Plan
from tests.chaos.stack import ChaosStack
from tests.chaos.stock import Stock
from tests.support.tenants import Tenant


@dataclass(frozen=True)
class Burst:
    """A burst as it was: when it began and its last signature was acknowledged (time.time())."""

    begin: float
    end: float
    count: int
    behind: float  # seconds by which the latest was offered after its time
    slowest: float  # seconds until the slowest was acknowledged


@dataclass
class Arena:
    """The stack under attack, callers of the harness's own, and what the faults found out.

    `hire` makes one more caller of a tenant, by its number; `to_sign` and `to_send` are proposals
    that were prepared. `without_valkey` collects the stretches (time.time()) in which no process
    could reach it; `findings` what went otherwise than promised, in words; `poison_kills` how many
    processes a poisoned job ended, and `poisoned` the proposals; `quiet_waits` the seconds that
    mails of a quiet organization took beside a noisy one; `calm_from` (time.time()) is the end of
    the storm.
    """

    stack: ChaosStack
    plan: Plan
    tenant: Tenant
    caller: Caller
    hire: Callable[[int, str], Caller]
    to_sign: Stock
    to_send: Stock
    chance: random.Random
    ends: float  # time.monotonic() after which no fault begins
    without_valkey: list[tuple[float, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    poison_kills: int = 0
    poisoned: set[str] = field(default_factory=set)
    bursts: list[Burst] = field(default_factory=list)
    quiet_waits: list[float] = field(default_factory=list)
    calm_from: float = 0.0
