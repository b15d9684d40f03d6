"""The faults: what is done, and the seconds within which the stack must work again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import redis

from tests.chaos.arena import Arena
from tests.chaos.burst import burst, kill_valkey
from tests.chaos.noisy import noisy_organization
from tests.chaos.plan import Plan
from tests.chaos.poison import poison_a_job
from tests.chaos.smtp import AWAY, Mode
from tests.chaos.storm import STORM_NAMES

PROCESS_BOUND, POSTGRES_BOUND = 15.0, 30.0
BEYOND_LEASES = 12.0  # seconds; a lease lasts 8 (tasks/runtime/jobs.py)

Inject = Callable[[Arena], None]
Ready = Callable[[Arena], bool]


def _always(_arena: Arena) -> bool:
    return True


def _mail_server_is_up(arena: Arena) -> bool:
    return arena.stack.smtp.mode == "up"


def _can_be(mode: Mode) -> Ready:
    """Whether the mail server may be so: it is itself, and will be again well before the end."""

    def ready(arena: Arena) -> bool:
        needed = arena.plan.mail_seconds(mode) + arena.plan.mail_rest
        return _mail_server_is_up(arena) and time.monotonic() + needed < arena.ends

    return ready


def _can_burst(arena: Arena) -> bool:
    return arena.to_sign.is_full or not arena.plan.is_long


def _can_be_noisy(arena: Arena) -> bool:
    return _mail_server_is_up(arena) and (arena.to_send.is_full or not arena.plan.is_long)


@dataclass(frozen=True)
class Fault:
    """One way to break the stack. `inject` returns when the fault is over or has been set off;
    recovery is counted from then on. While it is not `ready`, others come first."""

    name: str
    inject: Inject
    bound: float = PROCESS_BOUND
    ready: Ready = _always
    long: bool = False  # takes half a minute: left out of short runs
    early: int = 0  # the more, the sooner after the storm of a short run
    overlaps: bool = False  # lasts while others are injected: the first whenever it is ready


def _send(name: str, number: signal.Signals) -> Inject:
    return lambda arena: arena.stack.signal(name, number)


def _freeze(name: str, least: float, most: float) -> Inject:
    def inject(arena: Arena) -> None:
        arena.stack.signal(name, signal.SIGSTOP)
        time.sleep(arena.chance.uniform(least, most))
        arena.stack.signal(name, signal.SIGCONT)

    return inject


def _kill_child(name: str) -> Inject:
    def inject(arena: Arena) -> None:
        if children := arena.stack.children(name):
            with suppress(ProcessLookupError):
                os.kill(arena.chance.choice(children), signal.SIGKILL)

    return inject


def _flush(arena: Arena) -> None:
    with redis.Redis.from_url(arena.stack.valkey.url, socket_timeout=5) as client:
        client.flushall()


def _freeze_valkey(arena: Arena) -> None:
    pid = arena.stack.valkey.pid
    if pid is not None:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(arena.chance.uniform(2, 8))
        os.kill(pid, signal.SIGCONT)


def _hold_valkey(arena: Arena) -> None:
    arena.stack.valkey_proxy.hold()
    time.sleep(arena.chance.uniform(2, 8))
    arena.stack.valkey_proxy.release()


def _drop_valkey(arena: Arena) -> None:
    arena.stack.valkey_proxy.drop()


def _delay_valkey(arena: Arena) -> None:
    arena.stack.valkey_proxy.delay(arena.chance.uniform(0.05, 0.3))
    time.sleep(4)
    arena.stack.valkey_proxy.delay(0)


def _stop_postgres(arena: Arena) -> None:
    arena.stack.stop_postgres()


def _cut_commits(arena: Arena) -> None:
    """Lose the answers to the next COMMITs, in whichever process they are."""
    arena.stack.postgres_proxy.cut_commits(arena.chance.randint(5, 20))
    time.sleep(3)
    arena.stack.postgres_proxy.cut_commits(0)


def _valkey_dead(arena: Arena) -> None:
    """Kill it and refuse every connection: the dispatcher has to run the jobs itself."""
    begin = time.time()
    arena.stack.valkey_proxy.refuse()
    kill_valkey(arena)
    time.sleep(arena.plan.dead_seconds)
    arena.without_valkey.append((begin, time.time()))
    arena.stack.valkey_proxy.accept()


def _mail_server(mode: Mode) -> Inject:
    """It goes on so while other faults are injected, and ends by itself."""
    return lambda arena: arena.stack.smtp.put(mode, arena.plan.mail_seconds(mode))


FAULTS = (
    *(Fault(f"{name} SIGKILL", _send(name, signal.SIGKILL))
      for name in ("web", "worker", "beat", "dispatcher")),
    *(Fault(f"{name} SIGTERM", _send(name, signal.SIGTERM))
      for name in ("web", "worker", "beat", "dispatcher")),
    *(Fault(f"{name} SIGSTOP, SIGCONT", _freeze(name, 1, 5), early=1)
      for name in ("web", "worker", "beat", "dispatcher")),
    Fault("worker SIGSTOP beyond its leases", _freeze("worker", BEYOND_LEASES, BEYOND_LEASES + 3)),
    Fault("web child SIGKILL", _kill_child("web")),
    Fault("worker child SIGKILL", _kill_child("worker")),
    Fault("Valkey FLUSHALL", _flush, early=1),
    Fault("Valkey SIGKILL", kill_valkey),
    Fault("Valkey frozen", _freeze_valkey, early=1),
    Fault("Valkey black-holed", _hold_valkey),
    Fault("Valkey connections dropped", _drop_valkey),
    Fault("Valkey slow", _delay_valkey),
    Fault("PostgreSQL immediate stop", _stop_postgres, POSTGRES_BOUND),
    Fault("PostgreSQL cut after COMMIT", _cut_commits, early=1),
    Fault("Valkey dead throughout", _valkey_dead),
    Fault("poison job", poison_a_job, long=True),
    *(Fault(f"mail server {mode}", _mail_server(mode), ready=_can_be(mode), long=True,
            overlaps=True)
      for mode in AWAY),
    Fault("burst, Valkey SIGKILL", burst, ready=_can_burst, early=3),
    Fault("noisy organization", noisy_organization, ready=_can_be_noisy, early=2),
)  # fmt: skip


def bag(plan: Plan, chance: random.Random) -> list[Fault]:
    """Faults to take, the last first, until none is left or the time is over."""
    some = [f for f in FAULTS if plan.is_long or not (f.long or f.name in STORM_NAMES)]
    chance.shuffle(some)
    # Short runs end before all had their turn.
    return sorted(some, key=lambda fault: fault.overlaps if plan.is_long else fault.early)


def take(faults: list[Fault], arena: Arena) -> Fault | None:
    """Take out the last that is ready; None when none is."""
    for n in reversed(range(len(faults))):
        if faults[n].ready(arena):
            return faults.pop(n)
    return None
