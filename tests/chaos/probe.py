"""How long until the whole stack works again: measured alike after every fault."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

from tests.chaos.clients import Caller
from tests.chaos.stack import ChaosStack

PATIENCE_SECONDS = 90.0
SLOT = "sales.expire_proposals"  # the shortest of beat's entries: a slot a minute

_FORGET_SLOT = """DELETE FROM beat_slots WHERE name = %s
    AND slot = to_timestamp(floor(extract(epoch FROM now()) / 60) * 60)"""
_ASK = """INSERT INTO jobs (organization_id, id, kind, dedupe_key, payload, publish_after)
    VALUES (%s, %s, 'jobs.prune', %s, '{"v": 1}', clock_timestamp())"""


class Probe:
    """Uses web, worker, dispatcher, beat and database once, each in a way nothing else can do.

    A signature is sent and must be fulfilled (web, worker); a job that nobody hinted at must be
    done (dispatcher); a slot that is due and closed must be opened (beat).
    """

    def __init__(self, stack: ChaosStack, caller: Caller, organization_id: UUID) -> None:
        self._stack, self._caller, self._organization_id = stack, caller, organization_id
        caller.longest_pause = 0.2

    def seconds(self, since: float) -> tuple[float, str]:
        """Seconds from `since` (monotonic) until all three are done, and which came last.

        Raises TimeoutError when one is not done within 90 s, and as `Caller.do`.
        """
        job_id = uuid4()
        [clock] = self._stack.query("SELECT clock_timestamp() AS now")
        self._stack.query(_FORGET_SLOT, [SLOT])
        self._stack.query(_ASK, [self._organization_id, job_id, f"probe:{job_id}"])
        proposal = self._caller.send_proposal(1)
        self._caller.sign(proposal, prefer="respond-async")
        self._caller.wait_until_fulfilled(proposal["id"], pause=0.05)
        took, last = time.monotonic() - since, "signature"
        for name, sql, values in (
            ("unhinted job", "SELECT 1 FROM jobs WHERE id = %s AND state = 'done'", [job_id]),
            (
                "beat slot",
                "SELECT 1 FROM beat_slots WHERE name = %s AND opened_at >= %s",
                [SLOT, clock["now"]],
            ),
        ):
            if not self._at_once(sql, values):
                self._wait(name, sql, values, since)
                took, last = time.monotonic() - since, name
        return took, last

    def _at_once(self, sql: str, values: list[Any]) -> bool:
        return bool(self._stack.query(sql, values))

    def _wait(self, name: str, sql: str, values: list[Any], since: float) -> None:
        while not self._at_once(sql, values):
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise TimeoutError(f"{name}: not within {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.05)
