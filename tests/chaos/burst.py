"""A burst: many more signatures at once than can be carried out, and the broker killed meanwhile.

They are offered at a fixed rate, whether or not those before have been answered.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from tests.chaos.arena import Arena, Burst
from tests.chaos.clients import Caller

CALLERS = 48
BURST_TENANT = 0


def kill_valkey(arena: Arena) -> None:
    """SIGKILL; the supervisor starts it again, empty."""
    if arena.stack.valkey.pid is not None:
        os.kill(arena.stack.valkey.pid, signal.SIGKILL)


def burst(arena: Arena) -> None:
    """Sign what was prepared, and kill Valkey at the height; returns when all is acknowledged."""
    proposals = arena.to_sign.take()
    count, seconds = arena.plan.burst
    callers: SimpleQueue[Caller] = SimpleQueue()
    for n in range(CALLERS):
        callers.put(arena.hire(BURST_TENANT, f"burst-{len(arena.bursts)}-{n}"))

    def sign(proposal: dict[str, Any], due: float) -> tuple[float, float]:
        caller, begin = callers.get(), time.monotonic()
        try:
            caller.sign(proposal, prefer="respond-async")
        finally:
            callers.put(caller)
        return begin - due, time.monotonic() - begin

    begin, first = time.time(), time.monotonic()
    given: list[Future[tuple[float, float]]] = []
    with ThreadPoolExecutor(CALLERS) as pool:
        for n, proposal in enumerate(proposals):
            due = first + n * seconds / count
            time.sleep(max(0.0, due - time.monotonic()))
            given.append(pool.submit(sign, proposal, due))
            if n == count // 2:
                kill_valkey(arena)
    took = [future.result() for future in given if future.exception() is None]
    arena.findings += [f"burst: {error!r}" for f in given if (error := f.exception()) is not None]
    behind = max((late for late, _ in took), default=0.0)
    slowest = max((answer for _, answer in took), default=0.0)
    arena.bursts.append(Burst(begin, time.time(), count, behind, slowest))
