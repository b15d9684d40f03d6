"""An organization that asks for many mails at once, while each takes its time, and a quiet one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.chaos.arena import Arena
from tests.chaos.smtp import SLOW_SECONDS

NOISY_TENANT, QUIET_TENANT = 2, 3
CALLERS = 12
BOUND = 20.0  # seconds: a few mails of others, at 4 s each
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 1.0


def noisy_organization(arena: Arena) -> None:
    """Send what was prepared of the one; then measure how soon single mails of the other come."""
    drafts, (_, wanted) = arena.to_send.take(), arena.plan.noise
    quiet = arena.hire(QUIET_TENANT, f"quiet-{len(arena.quiet_waits)}")
    smtp, waits = arena.stack.smtp, list[float]()
    smtp.put("slow")
    try:
        _send_all(arena, drafts)
        for _ in range(wanted):
            address = quiet.send_proposal(1)["address"]
            asked = time.time()
            while (came := smtp.received_at(address)) is None:
                if time.time() - asked > PATIENCE_SECONDS:
                    raise TimeoutError(
                        f"the quiet organization's mail did not come in {PATIENCE_SECONDS:.0f} s"
                    )
                time.sleep(0.05)
            waits.append(max(0.0, came - asked))
            time.sleep(PAUSE_SECONDS)
    finally:
        smtp.put("up")
        arena.quiet_waits += waits
    slowest = max(waits)
    if slowest > BOUND:
        arena.findings.append(
            f"beside a noisy organization a mail took {slowest:.1f} s, not {BOUND:.0f} s, when"
            f" each takes {SLOW_SECONDS:.0f} s"
        )


def _send_all(arena: Arena, drafts: list[dict[str, Any]]) -> None:
    callers = [
        arena.hire(NOISY_TENANT, f"noisy-{len(arena.quiet_waits)}-{n}") for n in range(CALLERS)
    ]

    def send(n: int) -> None:
        for draft in drafts[n::CALLERS]:
            callers[n].send(draft)

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(send, range(CALLERS)))
