"""What a fault may reach for."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.chaos.clients import Caller
from tests.chaos.stack import ChaosStack
from tests.support.tenants import Tenant


@dataclass
class Arena:
    """The stack under attack, a caller of the harness's own, and what the faults found out.

    `without_valkey` collects the stretches (time.time()) in which no process could reach it;
    `findings` what went otherwise than promised, in words; `poison_kills` how many processes a
    poisoned job ended.
    """

    stack: ChaosStack
    tenant: Tenant
    caller: Caller
    chance: random.Random
    dead_seconds: float
    without_valkey: list[tuple[float, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    poison_kills: int = 0
