"""No secret reaches a log, an error or a traceback (security.md, *Logs*)."""

from __future__ import annotations

from tests.conftest import Live
from tests.support.tenants import eventually

CANARY = "correct-horse-canary-battery"


def test_no_secret_reaches_a_log(live: Live) -> None:
    proposal = live.send_proposal(name=f"{CANARY} proposal", notes=CANARY)
    live.client.get(f"/sign/{proposal['token']}")
    live.client.get(f"/api/public/proposals/{proposal['token']}?x={CANARY}")
    live.api.get("/api/engagements", Authorization=f"Bearer {CANARY}")
    live.api.post("/api/engagements", {"name": "x", CANARY: CANARY})
    live.api.post("/api/engagements", f'{{"name": "{CANARY}'.encode())
    live.api.sign(proposal, client=live.client)
    eventually(lambda: live.tenant.count("jobs", "state <> 'done'") == 0)
    logs = {name: live.stack.log(name) for name in live.stack.running}
    assert "job_done" in logs["worker"]
    for name, log in logs.items():
        for secret in (CANARY, proposal["token"], live.api_key, live.api_key[-20:]):
            assert secret not in log, name
