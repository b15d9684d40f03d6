"""The faults: what is done, and the seconds within which the stack must work again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import redis

from tests.chaos.arena import Arena
from tests.chaos.poison import poison_a_job

PROCESS_BOUND, POSTGRES_BOUND = 15.0, 30.0
BEYOND_LEASES = 12.0  # seconds; a lease lasts 8 (tasks/runtime/jobs.py)

Inject = Callable[[Arena], None]


@dataclass(frozen=True)
class Fault:
    """One way to break the stack. `inject` returns when the fault is over or has been set off;
    recovery is counted from then on."""

    name: str
    inject: Inject
    bound: float = PROCESS_BOUND
    long: bool = False  # takes half a minute: left out of short runs
    early: bool = False  # among the first after the storm of a short run


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


def _kill_valkey(arena: Arena) -> None:
    if arena.stack.valkey.pid is not None:
        os.kill(arena.stack.valkey.pid, signal.SIGKILL)


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
    """Immediate shutdown: no checkpoint; the next start recovers from the log."""
    if arena.stack.postgres.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(arena.stack.postgres.pid, signal.SIGQUIT)


def _cut_commits(arena: Arena) -> None:
    """Lose the answers to the next COMMITs, in whichever process they are."""
    arena.stack.postgres_proxy.cut_commits(arena.chance.randint(5, 20))
    time.sleep(3)
    arena.stack.postgres_proxy.cut_commits(0)


def _valkey_dead(arena: Arena) -> None:
    """Kill it and refuse every connection: the dispatcher has to run the jobs itself."""
    begin = time.time()
    arena.stack.valkey_proxy.refuse()
    _kill_valkey(arena)
    time.sleep(arena.dead_seconds)
    arena.without_valkey.append((begin, time.time()))
    arena.stack.valkey_proxy.accept()


FAULTS = (
    *(Fault(f"{name} SIGKILL", _send(name, signal.SIGKILL))
      for name in ("web", "worker", "beat", "dispatcher")),
    *(Fault(f"{name} SIGTERM", _send(name, signal.SIGTERM))
      for name in ("web", "worker", "beat", "dispatcher")),
    *(Fault(f"{name} SIGSTOP, SIGCONT", _freeze(name, 1, 5), early=True)
      for name in ("web", "worker", "beat", "dispatcher")),
    Fault("worker SIGSTOP beyond its leases", _freeze("worker", BEYOND_LEASES, BEYOND_LEASES + 3)),
    Fault("web child SIGKILL", _kill_child("web")),
    Fault("worker child SIGKILL", _kill_child("worker")),
    Fault("Valkey FLUSHALL", _flush, early=True),
    Fault("Valkey SIGKILL", _kill_valkey),
    Fault("Valkey frozen", _freeze_valkey, early=True),
    Fault("Valkey black-holed", _hold_valkey),
    Fault("Valkey connections dropped", _drop_valkey),
    Fault("Valkey slow", _delay_valkey),
    Fault("PostgreSQL immediate stop", _stop_postgres, POSTGRES_BOUND),
    Fault("PostgreSQL cut after COMMIT", _cut_commits, early=True),
    Fault("Valkey dead throughout", _valkey_dead),
    Fault("poison job", poison_a_job, long=True),
)  # fmt: skip
