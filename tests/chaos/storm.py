"""The storm: every kind of process is killed again and again, each at a pace of its own."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import redis

from tests.chaos.arena import Arena
from tests.chaos.report import Injected
from tests.chaos.smtp import AWAY
from tests.chaos.stack import CHILDREN, ChaosStack, who_talks_to
from webapp.devstack import supervisor

LOOK_SECONDS = 0.1
# The least that something lives once it is up, and never less than it took to come up: else a
# slow machine would do nothing but start processes.
LIFE_SECONDS = 2.0
POSTGRES_STOPS = 4
# Alone, each is back within 15 s; here several start beside each other on the same processors.
BOUND = 90.0

Pids = list[int]


@dataclass(frozen=True)
class Target:
    """A class of processes. `up` gives which may be killed; none while the class is not up."""

    name: str
    up: Callable[[ChaosStack], Pids]
    whole_group: bool = False
    is_postgres: bool = False


def _web(stack: ChaosStack) -> Pids:
    pid = stack.services["web"].pid
    try:
        with urllib.request.urlopen(f"{stack.base_url}/healthz", timeout=2):
            return [pid]
    except urllib.error.HTTPError:
        return [pid]  # it says what is wrong elsewhere
    except OSError:
        return []


def _web_children(stack: ChaosStack) -> Pids:
    """Those that talk to the database; asking makes one that is up do so."""
    with suppress(OSError):
        urllib.request.urlopen(f"{stack.base_url}/readyz", timeout=2).close()
    return _all_that_talk(stack.children("web"), stack.postgres_proxy.port, least=CHILDREN)


def _worker(stack: ChaosStack) -> Pids:
    return [stack.services["worker"].pid] if _worker_children(stack) else []


def _worker_children(stack: ChaosStack) -> Pids:
    """All its children, once there are as many as there ever were and work can reach them.

    They take it from the broker themselves, or their parent gives it to them.
    """
    children = stack.children("worker")
    stack.most_children = max(stack.most_children, len(children))
    port = stack.valkey_proxy.port
    if who_talks_to(port, [stack.services["worker"].pid]):
        return _no_fewer(children, stack.most_children)
    return _all_that_talk(children, port, least=stack.most_children)


def _client_of_database(name: str) -> Callable[[ChaosStack], Pids]:
    return lambda stack: _all_that_talk(
        [stack.services[name].pid], stack.postgres_proxy.port, least=1
    )


def _all_that_talk(pids: Sequence[int], port: int, *, least: int) -> Pids:
    return _no_fewer(who_talks_to(port, pids), least)


def _no_fewer(pids: Pids, least: int) -> Pids:
    return pids if len(pids) >= least else []


def _valkey(stack: ChaosStack) -> Pids:
    pid = stack.valkey.pid
    with (
        suppress(redis.RedisError, OSError),
        redis.Redis.from_url(stack.valkey.url, socket_timeout=1) as client,
    ):
        client.ping()
        return [pid] if pid is not None else []
    return []


def _postgres(stack: ChaosStack) -> Pids:
    pid = stack.postgres.pid
    with suppress(psycopg.Error), stack.connect():
        return [pid] if pid is not None else []
    return []


TARGETS = (
    Target("web SIGKILL", _web, whole_group=True),
    Target("web child SIGKILL", _web_children),
    Target("worker SIGKILL", _worker, whole_group=True),
    Target("worker child SIGKILL", _worker_children),
    Target("beat SIGKILL", _client_of_database("beat"), whole_group=True),
    Target("dispatcher SIGKILL", _client_of_database("dispatcher"), whole_group=True),
    Target("Valkey SIGKILL", _valkey),
    Target("PostgreSQL immediate stop", _postgres, is_postgres=True),
)
STORM_NAMES = frozenset(target.name for target in TARGETS)


class Striker(threading.Thread):
    """Strikes one target `times` times, spread over `seconds`, never before it is up again."""

    def __init__(
        self, target: Target, arena: Arena, times: int, seconds: float, told: list[Injected]
    ) -> None:
        super().__init__(name=target.name, daemon=True)
        self._target, self._stack, self._findings = target, arena.stack, arena.findings
        self._chance = random.Random(arena.chance.randrange(2**32))
        self._times, self._seconds, self._told = times, seconds, told

    def run(self) -> None:
        try:
            self._strike_all()
        except Exception as error:  # the run must not pass because a striker broke
            self._findings.append(f"{self._target.name}: {error!r}")

    def _strike_all(self) -> None:
        begin, step, took = time.monotonic(), self._seconds / self._times, 0.0
        self._wait_until_up()
        for n in range(self._times):
            at = begin + (n + self._chance.random()) * step
            time.sleep(max(LIFE_SECONDS, took, at - time.monotonic()))
            pids = self._wait_until_up()
            if time.monotonic() > begin + self._seconds:
                return
            victim = self._chance.choice(pids)
            when, since = time.time(), time.monotonic()
            self._kill(victim)
            self._wait_until_up(without=victim)
            took = time.monotonic() - since
            self._told.append(Injected(self._target.name, when, when, took, "itself", BOUND))

    def _kill(self, pid: int) -> None:
        if self._target.is_postgres:
            self._stack.stop_postgres()
            return
        with suppress(ProcessLookupError):
            (os.killpg if self._target.whole_group else os.kill)(pid, signal.SIGKILL)

    def _wait_until_up(self, without: int = 0) -> Pids:
        deadline = time.monotonic() + BOUND
        while not (pids := self._target.up(self._stack)) or without in pids:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not up within {BOUND:.0f} s")
            time.sleep(LOOK_SECONDS)
        return pids


class MailStriker(threading.Thread):
    """Lets the mail server be dead, slow and hanging meanwhile, each once."""

    def __init__(self, arena: Arena, seconds: float, told: list[Injected]) -> None:
        super().__init__(name="mail server", daemon=True)
        self._smtp, self._plan, self._findings = arena.stack.smtp, arena.plan, arena.findings
        self._modes = list(AWAY)
        random.Random(arena.chance.randrange(2**32)).shuffle(self._modes)
        broken = sum(map(arena.plan.mail_seconds, self._modes))
        self._gap, self._told = (seconds - broken) / (len(self._modes) + 1), told

    def run(self) -> None:
        for mode in self._modes:
            time.sleep(self._gap)
            begin = time.time()
            self._smtp.put(mode)
            time.sleep(self._plan.mail_seconds(mode))
            over, before = time.time(), self._smtp.received.total()
            self._smtp.put("up")
            while self._smtp.received.total() == before:
                if time.time() - over > BOUND:
                    self._findings.append(f"mail server {mode}: no mail {BOUND:.0f} s afterwards")
                    break
                time.sleep(LOOK_SECONDS)
            took = time.time() - over
            self._told.append(Injected(f"mail server {mode}", begin, over, took, "a mail", BOUND))


def storm(arena: Arena, times: int, seconds: float, told: list[Injected]) -> None:
    """Kill each of the targets `times` times in `seconds`, PostgreSQL less often.

    The mail server is dead, slow and hanging meanwhile, each once. Returns when the last one killed
    is up again; `told` gets every kill, with how long it took until that process did its work
    again. Fewer are killed where it takes too long to come back.
    """
    # Else the product's supervisor gives up what dies eight times in a row, and waits longer
    # before each start. That is right of it, and would end the storm.
    supervisor.HEALTHY_SECONDS = 0.0
    strikers: list[threading.Thread] = [
        Striker(
            target,
            arena,
            POSTGRES_STOPS if target.is_postgres else times,
            seconds,
            told,
        )
        for target in TARGETS
    ]
    strikers.append(MailStriker(arena, seconds, told))
    for striker in strikers:
        striker.start()
    for striker in strikers:
        while striker.is_alive():
            arena.stack.supervisor.pause(0.1)
    told.sort(key=lambda fault: fault.time)
