"""Webhooks on the running product: a receiver that hangs holds up nobody else."""

from __future__ import annotations

import time

import pytest

from tests.conftest import OwnStack
from tests.support.receiver import a_receiver
from tests.support.tenants import eventually

pytestmark = pytest.mark.long


def test_a_receiver_that_hangs_holds_up_no_signature_and_no_other_receiver(
    own_stack: OwnStack,
) -> None:
    own_stack.stack.env["WEBHOOKS_ALLOW_LOOPBACK"] = "on"
    own_stack.stack.start()
    live, other = own_stack.live(), own_stack.live()
    with a_receiver() as hanging, a_receiver() as quick:
        hanging.seconds = 60
        live.api.made("/api/webhooks", {"url": hanging.url})
        other.api.made("/api/webhooks", {"url": quick.url, "event_types": ["proposal.signed"]})
        for n in range(8):
            live.api.made("/api/companies", {"name": f"Firm {n}"})
        eventually(lambda: len(hanging.received) >= 2, seconds=20)  # both processes wait for it
        proposals = [live.send_proposal(), other.send_proposal()]
        for tenant, proposal in zip((live, other), proposals, strict=True):
            began = time.monotonic()
            signed = tenant.api.post(f"/api/proposals/{proposal['id']}/sign")
            assert (signed.status, time.monotonic() - began < 5) == (200, True)
        # The organizations take turns: it waits for one try of the other's, not for all of them.
        eventually(lambda: quick.received, seconds=25)
        assert quick.received[0].json["data"]["entity_id"] == proposals[1]["id"]
