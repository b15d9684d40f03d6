"""A job that kills whatever process runs it, until it is dead; the others must go on meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from uuid import UUID

from tests.chaos.arena import Arena
from tests.chaos.stack import owner_of_port
from webapp.services.jobs.operations import retry_job

DEAD_SECONDS = 120.0
OTHERS_SECONDS = 15.0

_WAITING = """SELECT a.pid, a.client_port FROM pg_stat_activity a
    WHERE %s = ANY(pg_blocking_pids(a.pid)) AND a.client_port > 0"""
_JOB = """SELECT j.id, j.state, j.attempts FROM jobs j
    JOIN signatures s ON s.organization_id = j.organization_id
     AND s.id = (j.payload->>'signature_id')::uuid
    WHERE j.kind = 'sales.fulfil_signature' AND s.proposal_id = %s"""


def poison_a_job(arena: Arena) -> None:
    """Sign a proposal whose fulfilment is killed in every attempt; then let it through.

    The proposal adds to an engagement that the harness keeps locked, so that its fulfilment, and
    nothing else, stops in the middle; the process found there is killed. The job must be dead
    after its attempts, a signature sent meanwhile must be carried out in 15 s, and the job, put
    back by hand, must be done. Whatever is otherwise becomes a finding.
    """
    caller, stack = arena.caller, arena.stack
    first = caller.send_proposal(1)
    caller.sign(first, prefer="respond-async")
    engagement_id = caller.wait_until_fulfilled(first["id"])["converted_engagement_id"]
    poisoned = caller.send_proposal(1, engagement_id=engagement_id, allow_other_company=True)
    arena.poisoned.add(poisoned["id"])
    with stack.connect() as holder, holder.transaction():
        # Not FOR UPDATE: rows that refer to the engagement may be written by others.
        holder.execute("SELECT 1 FROM engagements WHERE id = %s FOR NO KEY UPDATE", [engagement_id])
        caller.sign(poisoned, prefer="respond-async")
        others = threading.Thread(target=_others, args=(arena,))
        others.start()
        kills = _kill_until_dead(arena, holder.info.backend_pid, poisoned["id"])
        others.join()
    arena.poison_kills += kills
    [job] = stack.query(_JOB, [poisoned["id"]])
    if job["state"] != "dead":
        arena.findings.append(f"poison job: {job['state']} after {kills} kills, not dead")
        return
    _put_back(arena, job["id"])
    caller.wait_until_fulfilled(poisoned["id"])


def _kill_until_dead(arena: Arena, holder: int, proposal_id: str) -> int:
    deadline, kills = time.monotonic() + DEAD_SECONDS, 0
    while time.monotonic() < deadline:
        [job] = arena.stack.query(_JOB, [proposal_id])
        if job["state"] == "dead":
            break
        for waiting in arena.stack.query(_WAITING, [holder]):
            kills += _kill_owner(arena, waiting["client_port"])
            # A backend that waits for a lock does not see that its client is gone; one whose
            # client crashed by itself would be idle, and would.
            arena.stack.query("SELECT pg_terminate_backend(%s)", [waiting["pid"]])
        time.sleep(0.05)
    return kills


def _kill_owner(arena: Arena, server_side: int) -> int:
    """Kill the process at the other end of the proxied connection; how many were killed."""
    port = arena.stack.postgres_proxy.client_port(server_side)
    own = [*arena.stack.children("worker"), arena.stack.services["dispatcher"].pid]
    pid = owner_of_port(port, own) if port is not None else None
    if pid is None:
        return 0
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return 1


def _others(arena: Arena) -> None:
    begin = time.monotonic()
    try:
        proposal = arena.caller.send_proposal(1)
        arena.caller.sign(proposal, prefer="respond-async")
        arena.caller.wait_until_fulfilled(proposal["id"])
    except Exception as error:
        arena.findings.append(f"poison job: another signature met {error!r}")
        return
    took = time.monotonic() - begin
    if took > OTHERS_SECONDS:
        arena.findings.append(f"poison job: another signature took {took:.1f} s")


def _put_back(arena: Arena, job_id: UUID) -> None:
    """Retry the dead job, as an operator does with `sx jobs retry`."""
    arena.tenant.run(lambda: retry_job(job_id))
